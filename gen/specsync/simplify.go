package main

import (
	"slices"
	"strings"
)

// simplify writes in one way what JSON Schema lets one write in several, until nothing
// changes any more. It changes schemas where they are, so that what refers to them follows.
func simplify(schemas []*node) {
	s := simplifier{defaults: shapes["schema"].defaults}
	for _, n := range schemas {
		for _, key := range []string{"unevaluatedProperties", "unevaluatedItems"} {
			if value := n.get(key); value != nil && (value.kind != object || !value.empty()) {
				s.unevaluated = true
			}
		}
	}
	for range 8 { // each round undoes one more level of wrapping
		s.changed = false
		for _, n := range slices.Backward(schemas) { // what is held comes after what holds it
			if n.same == nil && n.kind == object {
				s.schema(n)
			}
		}
		if !s.changed {
			return
		}
	}
}

type simplifier struct {
	defaults    map[string]string
	unevaluated bool // a keyword is in use to which others tell what they looked at
	changed     bool
}

func (s *simplifier) schema(n *node) {
	s.constant(n)
	s.types(n)
	s.values(n)
	if not := n.get("not"); not != nil && len(n.keys) == 1 && not.kind == object && not.empty() {
		*n = node{value: "false", tail: n.tail}
		return
	}
	s.leaveOutDefaults(n)
	s.alternatives(n, "anyOf")
	s.alternatives(n, "oneOf")
	s.flatten(n)
}

func (s *simplifier) leaveOutDefaults(n *node) {
	before := len(n.keys)
	left := s.defaults
	if s.unevaluated {
		left = map[string]string{}
		for key, says := range s.defaults {
			if !slices.Contains([]string{"items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"}, key) {
				left[key] = says
			}
		}
	}
	leaveOutDefaults(n, left)
	if !n.has("if") {
		n.drop("then")
		n.drop("else")
	}
	s.changed = s.changed || len(n.keys) != before
}

// constant writes a constant as the only value allowed.
func (s *simplifier) constant(n *node) {
	if value := n.get("const"); value != nil && !n.has("enum") {
		n.drop("const")
		n.put("enum", &node{kind: set, kids: []*node{value}, tail: value.tail})
		s.changed = true
	}
}

// types writes null as a type, which it is not in OpenAPI 3.0, and leaves out what another type holds.
func (s *simplifier) types(n *node) {
	types := n.get("type")
	if types == nil || types.kind != set {
		return
	}
	if nullable := n.get("nullable"); nullable != nil && nullable.is("true") {
		n.drop("nullable")
		types = withType(types, `"null"`)
		n.put("type", types)
		s.changed = true
	}
	if types.holds(`"number"`) && types.holds(`"integer"`) {
		kept := &node{kind: set, tail: types.tail}
		for _, kid := range types.kids {
			if !the(kid).is(`"integer"`) {
				kept.kids = append(kept.kids, kid)
			}
		}
		n.put("type", kept)
		s.changed = true
	}
}

// values says of which types the allowed values are, whether the source does or not, and
// leaves out what says no more: null is the only value of its type.
func (s *simplifier) values(n *node) {
	values := n.get("enum")
	if values == nil || values.kind != set || len(values.kids) == 0 {
		return
	}
	of := &node{kind: set, tail: values.tail}
	for _, kid := range values.kids {
		of = withType(of, typeOf(the(kid)))
	}
	if types := n.get("type"); types != nil {
		if types.kind != set || slices.ContainsFunc(of.values(), func(t string) bool {
			return !types.holds(t) && !(t == `"integer"` && types.holds(`"number"`))
		}) {
			return
		}
		of.tail = of.tail || types.tail
	}
	n.put("type", of)
	s.types(n)
	if len(of.kids) == 1 && of.holds(`"null"`) {
		n.drop("enum")
		s.changed = true
	}
}

// typeOf is the type of a value.
func typeOf(n *node) string {
	switch {
	case n.kind == object:
		return `"object"`
	case n.kind != scalar:
		return `"array"`
	case n.value == "null":
		return `"null"`
	case n.value == "true" || n.value == "false":
		return `"boolean"`
	case strings.HasPrefix(n.value, `"`):
		return `"string"`
	case strings.Contains(n.value, "."):
		return `"number"`
	default:
		return `"integer"`
	}
}

func withType(types *node, value string) *node {
	if types.holds(value) {
		return types
	}
	return &node{kind: set, kids: append(slices.Clone(types.kids), &node{value: value}), tail: types.tail}
}

// alternatives joins those that are types alone, those that are values alone, and null with
// the only other.
func (s *simplifier) alternatives(n *node, keyword string) {
	of := n.get(keyword)
	if of == nil || of.kind == scalar || of.kind == object {
		return
	}
	kept := of.kids
	for _, alone := range []string{"type", "enum"} {
		kept = join(kept, alone, keyword == "oneOf")
	}
	if other := besideNull(kept); other != nil {
		if both := orNull(other, keyword); both != nil {
			kept = []*node{both}
		}
	}
	if len(kept) != len(of.kids) {
		for _, kid := range kept {
			kid.tail = kid.tail || of.tail
		}
		of = &node{kind: of.kind, kids: kept, tail: of.tail}
		n.put(keyword, of)
		s.changed = true
	}
	if len(of.kids) == 1 { // one alternative is a condition like any other
		n.drop(keyword)
		all := &node{kind: set, tail: of.tail}
		if at := n.get("allOf"); at != nil {
			*all = *at
		}
		all.kids = append(slices.Clone(all.kids), of.kids[0])
		n.put("allOf", all)
		s.changed = true
	}
}

// join makes one of the alternatives that are said by their type alone, or by their
// values. Of oneOf only those that no value fits twice.
func join(alternatives []*node, alone string, onlyOne bool) []*node {
	var kept []*node
	at := -1
	for _, kid := range alternatives {
		kid := the(kid)
		says := kid.kind == object && kid.get(alone) != nil && kid.get(alone).kind == set &&
			(len(kid.keys) == 1 || alone == "enum" && len(kid.keys) == 2 && kid.has("type"))
		switch {
		case !says:
			kept = append(kept, kid)
		case at < 0:
			at = len(kept)
			kept = append(kept, kid)
		case onlyOne && overlap(kept[at].get(alone), kid.get(alone)):
			kept = append(kept, kid)
		default:
			joined := &node{kind: object, tail: kept[at].tail || kid.tail}
			for _, key := range kid.keys {
				joined.put(key, union(kept[at].get(key), kid.get(key)))
			}
			kept[at] = joined
		}
	}
	return kept
}

// union holds what either does; nil, which allows all, is no part of one.
func union(a, b *node) *node {
	if a == nil || b == nil {
		return &node{kind: set}
	}
	return &node{kind: set, kids: distinct(a.kids, b.kids), tail: a.tail || b.tail}
}

// distinct is what both hold, each node and each plain value once: what is taken in from
// nested parts again and again would double with each level.
func distinct(a, b []*node) []*node {
	var all []*node
	nodes, values := map[*node]bool{}, map[string]bool{}
	for _, kid := range slices.Concat(a, b) {
		one := the(kid)
		if nodes[one] || one.kind == scalar && values[one.value] {
			continue
		}
		all, nodes[one] = append(all, kid), true
		if one.kind == scalar {
			values[one.value] = true
		}
	}
	return all
}

func overlap(a, b *node) bool {
	numeric := func(n *node) bool { return n.holds(`"number"`) || n.holds(`"integer"`) }
	structured := func(kid *node) bool { return the(kid).kind != scalar }
	return numeric(a) && numeric(b) || slices.ContainsFunc(a.values(), b.holds) || slices.ContainsFunc(slices.Concat(a.kids, b.kids), structured)
}

// besideNull is the only alternative to null.
func besideNull(alternatives []*node) *node {
	if len(alternatives) != 2 {
		return nil
	}
	for i, kid := range alternatives {
		if types := the(kid).get("type"); types != nil && len(the(kid).keys) == 1 && len(types.kids) == 1 && types.holds(`"null"`) {
			return the(alternatives[1-i])
		}
	}
	return nil
}

// concerning are the keywords that judge null too.
var concerning = []string{"allOf", "anyOf", "oneOf", "not", "if", "const", "discriminator", "$dynamicRef", "nullable"}

// orNull is n with null allowed as well, where that can be said by its type.
func orNull(n *node, keyword string) *node {
	types := n.get("type")
	if types == nil || types.kind != set || n.has(concerning...) || types.holds(`"null"`) && keyword == "oneOf" {
		return nil
	}
	both := *n
	both.keys, both.kids = slices.Clone(n.keys), slices.Clone(n.kids)
	both.put("type", withType(types, `"null"`))
	if values := n.get("enum"); values != nil && !values.holds("null") {
		both.put("enum", &node{kind: set, kids: append(slices.Clone(values.kids), &node{value: "null"}), tail: values.tail})
	}
	return &both
}

// flatten takes what all of allOf say into the schema itself, as far as no two say
// something of the same.
func (s *simplifier) flatten(n *node) {
	all := n.get("allOf")
	if all == nil || all.kind != set {
		return
	}
	if len(n.keys) == 1 && len(all.kids) == 1 {
		if only := the(all.kids[0]); only != n {
			only.tail = only.tail || all.tail
			n.same, s.changed = only, true
			return
		}
	}
	parts := distinct(all.kids, nil)
	var left []*node
	for i, kid := range parts {
		one := the(kid)
		if one == n || one.kind == object && one.empty() {
			s.changed = true
			continue
		}
		alone := true // no other part says something of the same
		for j, other := range parts {
			alone = alone && (i == j || the(other) == n || fit(one, the(other)))
		}
		inner := one.get("allOf")
		if inner != nil {
			outer := *one
			outer.drop("allOf")
			one = &outer
		}
		if inner != nil && inner.kind != set || !alone || !take(n, one) {
			left = append(left, kid)
			continue
		}
		if s.changed = true; inner != nil {
			left = distinct(left, inner.kids)
		}
	}
	if s.changed {
		n.put("allOf", &node{kind: set, kids: left, tail: all.tail})
		leaveOutDefaults(n, map[string]string{"allOf": "[]"})
	}
}

// together are keywords that are read beside one another: only one schema may have them.
var together = [][]string{
	{"additionalProperties", "unevaluatedProperties", "properties", "patternProperties"},
	{"items", "prefixItems", "additionalItems", "unevaluatedItems", "contains", "minContains", "maxContains"},
	{"if", "then", "else"},
	{"minimum", "exclusiveMinimum"},
	{"maximum", "exclusiveMaximum"},
	{"nullable", "type"},
	{"contentEncoding", "contentMediaType", "contentSchema"},
}

// fit says whether no two of what the two say are of the same.
func fit(n, from *node) bool {
	for _, group := range together {
		if n.has(group...) && from.has(group...) && !sayTheSame(n, from, group) && !bothOpen(n, from, group) {
			return false
		}
	}
	for _, key := range from.keys {
		mine := n.get(key)
		if mine != nil && !slices.Contains([]string{"required", "properties", "allOf"}, key) && !equalScalars(mine, from.get(key)) {
			return false
		}
	}
	return true
}

// take moves what from says into n, or leaves both as they are where they do not fit. What
// sees its neighbours stays beside them.
func take(n, from *node) bool {
	if from.kind != object || from.has("unevaluatedProperties", "unevaluatedItems") || !fit(n, from) {
		return false
	}
	for _, key := range from.keys {
		mine, theirs := n.get(key), from.get(key)
		switch {
		case mine == nil:
			n.put(key, theirs)
		case key == "required":
			n.put(key, union(mine, theirs))
		case key == "properties":
			n.put(key, &node{
				kind: object, keys: slices.Concat(mine.keys, theirs.keys), kids: slices.Concat(mine.kids, theirs.kids),
				written: slices.Concat(mine.written, theirs.written), tail: mine.tail || theirs.tail,
			})
		}
	}
	n.tail = n.tail || from.tail
	n.written = slices.Compact(slices.Sorted(slices.Values(slices.Concat(n.written, from.written))))
	return true
}

// bothOpen says whether the group is that of properties, both name some, none twice, and
// neither says anything of the others.
func bothOpen(n, from *node, group []string) bool {
	if group[0] != "additionalProperties" || n.has("additionalProperties", "patternProperties", "unevaluatedProperties") || from.has("additionalProperties", "patternProperties", "unevaluatedProperties") {
		return false
	}
	mine, theirs := n.get("properties"), from.get("properties")
	return mine.kind == object && theirs.kind == object && !slices.ContainsFunc(theirs.keys, func(key string) bool { return slices.Contains(mine.keys, key) })
}

func sayTheSame(n, from *node, group []string) bool {
	for _, key := range group {
		mine, theirs := n.get(key), from.get(key)
		if mine == nil && theirs == nil {
			continue
		}
		if mine == nil || theirs == nil || !equalScalars(mine, theirs) {
			return false
		}
	}
	return true
}

// equalScalars says whether two are the same plain values.
func equalScalars(a, b *node) bool {
	if a.kind != b.kind || a.kind == object || len(a.kids) != len(b.kids) {
		return false
	}
	if a.kind == scalar {
		return a.value == b.value
	}
	for _, kid := range a.kids {
		if the(kid).kind != scalar || !b.holds(the(kid).value) {
			return false
		}
	}
	return true
}
