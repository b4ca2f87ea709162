package main

import "slices"

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
	if values := n.get("enum"); values != nil && len(values.kids) == 1 && values.holds("null") && (len(n.keys) == 1 || n.has("type") && n.get("type").holds(`"null"`)) {
		n.drop("enum")
		n.put("type", &node{kind: set, kids: []*node{stringNode("null")}, tail: values.tail})
		s.changed = true
	}
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

func withType(types *node, value string) *node {
	if types.holds(value) {
		return types
	}
	return &node{kind: set, kids: append(slices.Clone(types.kids), &node{value: value}), tail: types.tail}
}

// alternatives joins those that differ by their type alone, and null with the only other.
func (s *simplifier) alternatives(n *node, keyword string) {
	of := n.get(keyword)
	if of == nil || of.kind == scalar || of.kind == object {
		return
	}
	var kept []*node
	var plain *node // the alternatives that are a type and no more
	for _, kid := range of.kids {
		kid := the(kid)
		switch {
		case !onlyType(kid):
			kept = append(kept, kid)
		case plain == nil:
			plain = kid
			kept = append(kept, kid)
		case keyword == "oneOf" && overlap(plain.get("type"), kid.get("type")):
			kept = append(kept, kid)
		default:
			joined := plain.get("type")
			for _, value := range kid.get("type").values() {
				joined = withType(joined, value)
			}
			joined.tail = joined.tail || of.tail
			at := slices.Index(kept, plain)
			plain = &node{kind: object, keys: []string{"type"}, kids: []*node{joined}, tail: plain.tail || kid.tail}
			kept[at] = plain
			s.changed = true
		}
	}
	if len(kept) == 2 && plain != nil && plain.get("type") != nil && len(plain.get("type").kids) == 1 && plain.get("type").holds(`"null"`) {
		other := kept[0]
		if other == plain {
			other = kept[1]
		}
		if both := orNull(other, keyword); both != nil {
			both.tail = both.tail || of.tail
			kept = []*node{both}
			s.changed = true
		}
	}
	if len(kept) != len(of.kids) {
		of = &node{kind: of.kind, kids: kept, tail: of.tail}
		n.put(keyword, of)
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

func onlyType(n *node) bool { return n.kind == object && len(n.keys) == 1 && n.keys[0] == "type" }

func overlap(a, b *node) bool {
	numeric := func(n *node) bool { return n.holds(`"number"`) || n.holds(`"integer"`) }
	return numeric(a) && numeric(b) || slices.ContainsFunc(a.values(), b.holds)
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
	var left []*node
	for _, kid := range all.kids {
		one := the(kid)
		if one == n || one.kind == object && one.empty() {
			s.changed = true
			continue
		}
		inner := one.get("allOf")
		if inner != nil {
			outer := *one
			outer.drop("allOf")
			one = &outer
		}
		if inner != nil && inner.kind != set || !take(n, one) {
			left = append(left, kid)
			continue
		}
		if s.changed = true; inner != nil {
			left = append(left, inner.kids...)
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

// take moves what from says into n, or leaves both as they are where they do not fit.
func take(n, from *node) bool {
	if from.kind != object {
		return false
	}
	for _, group := range together {
		if n.has(group...) && from.has(group...) && !sayTheSame(n, from, group) && !bothOpen(n, from, group) {
			return false
		}
	}
	for _, key := range from.keys {
		if mine := n.get(key); mine != nil && key != "required" && key != "properties" && !equalScalars(mine, from.get(key)) {
			return false
		}
	}
	for _, key := range from.keys {
		mine, theirs := n.get(key), from.get(key)
		switch {
		case mine == nil:
			n.put(key, theirs)
		case key == "required":
			n.put(key, &node{kind: set, kids: slices.Concat(mine.kids, theirs.kids), tail: mine.tail || theirs.tail})
		case key == "properties":
			n.put(key, &node{
				kind: object, keys: slices.Concat(mine.keys, theirs.keys), kids: slices.Concat(mine.kids, theirs.kids),
				written: slices.Concat(mine.written, theirs.written), tail: mine.tail || theirs.tail,
			})
		}
	}
	n.tail = n.tail || from.tail
	n.written = slices.Concat(n.written, from.written)
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
