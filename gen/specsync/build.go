package main

import (
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// builder turns what an operation reaches in a document into nodes.
type builder struct {
	refs    *references
	tail    map[*yaml.Node]bool
	version string // of OpenAPI, as in 3.1
	built   map[place]*node
	schemas []*node // all of them, each before those that it holds
	rules   []string
	depth   int
	made    int   // nodes
	err     error // the first
}

// place is a part of the document, read as one thing. Aliases and references meet it often.
type place struct {
	at    *yaml.Node
	shape string
}

// maxNodes bounds what is made of an operation, and so how long a comparison takes. Whop's
// has under a thousand.
const maxNodes = 20_000

// node makes one for a part of the document.
func (b *builder) node(n *yaml.Node) *node {
	if b.made++; b.made > maxNodes || len(n.Content) > 2*maxNodes {
		return b.fail(fmt.Errorf("it has over %d parts, which is too much to compare", maxNodes))
	}
	return &node{kind: object, tail: b.tail[n], written: keysOf(n)}
}

func (b *builder) fail(err error) *node {
	if b.err == nil {
		b.err = err
	}
	return &node{kind: object}
}

// part reads what a field holds.
func (b *builder) part(n *yaml.Node, p part, name string) *node {
	if p.shape == "" && p.in == one {
		return b.value(n)
	}
	if isNull(n) {
		if b.tail[n] {
			return b.fail(fmt.Errorf("it ends at %q", name))
		}
		return &node{kind: object}
	}
	switch p.in {
	case one:
		return b.object(n, p.shape)
	case ordered, unordered, repeated:
		return b.sequence(n, p)
	}
	if n.Kind != yaml.MappingNode {
		return b.value(n)
	}
	made := b.node(n)
	if b.err != nil {
		return made
	}
	for key, value := range pairs(n) {
		name := key
		switch p.in {
		case byHeader:
			key = strings.ToLower(key)
		case byMediaType:
			key = mediaType(key)
		case byStatus:
			key = strings.ToUpper(key) // 4xx is 4XX
			if key == "DEFAULT" {
				key = "default"
			}
		}
		if strings.HasPrefix(key, "x-") && p.in == byStatus {
			continue
		}
		if made.has(key) {
			return b.fail(fmt.Errorf("%q is there twice, in other letters", key))
		}
		made.put(key, b.part(value, part{p.shape, one}, key))
		if p.in == byHeader {
			made.get(key).name = name
		}
	}
	return made
}

func (b *builder) sequence(n *yaml.Node, p part) *node {
	made := &node{kind: list, tail: b.tail[n]}
	switch p.in {
	case unordered:
		made.kind = set
	case repeated:
		made.kind = bag
	}
	if n.Kind != yaml.SequenceNode { // as type: string, and as items were once
		made.kids = []*node{b.part(n, part{p.shape, one}, "-")}
		return made
	}
	for _, child := range n.Content {
		made.kids = append(made.kids, b.part(child, part{p.shape, one}, "-"))
	}
	return made
}

// object reads an object of a shape, or what a reference in its place names.
func (b *builder) object(n *yaml.Node, shapeName string) *node {
	if made := b.built[place{n, shapeName}]; made != nil {
		return made
	}
	if b.depth++; b.depth > maxDepth {
		return b.fail(errors.New("it is nested too deep"))
	}
	defer func() { b.depth-- }()
	made := b.node(n)
	if b.err != nil {
		return made
	}
	b.built[place{n, shapeName}] = made
	if ref := text(n, "$ref"); ref != "" {
		b.follow(made, n, ref, shapeName)
		return made
	}
	switch {
	case shapeName == "names":
		*made = *b.sequence(n, part{"", unordered})
		return made
	case shapeName == "schema":
		b.schemas = append(b.schemas, made)
	}
	if n.Kind != yaml.MappingNode {
		if shapeName == "schema" && n.ShortTag() == "!!bool" {
			if strings.EqualFold(n.Value, "false") {
				*made = node{value: "false", tail: made.tail}
			}
			return made
		}
		if !isNull(n) {
			*made = *b.value(n)
		}
		return made
	}
	switch shapeName {
	case "callback":
		for key, value := range pairs(n) {
			made.put(key, b.object(value, "item"))
		}
		return made
	case "item":
		b.item(made, n)
		return made
	case "flow":
		b.flow(made, n)
		return made
	}
	b.fields(made, n, shapes[shapeName])
	b.finish(made, n, shapeName)
	made.title = text(n, "title")
	if shapeName != "schema" { // whose defaults are left out when all schemas are read
		leaveOutDefaults(made, shapes[shapeName].defaults)
	}
	return made
}

func (b *builder) fields(made *node, n *yaml.Node, s shape) {
	for key, value := range pairs(n) {
		if slices.Contains(s.words, key) {
			b.words(value)
			continue
		}
		if slices.Contains(s.labels, key) {
			continue
		}
		if strings.HasPrefix(key, "x-") {
			if slices.Contains(meaningful, key) {
				made.put(key, b.sequenceOrValue(value))
			}
			continue
		}
		field, known := s.fields[key]
		if !known {
			made.put(key, b.unknown(value, made))
			continue
		}
		made.put(key, b.part(value, field, key))
	}
}

// follow makes of made what ref names. Beside a schema's reference other keywords count
// from OpenAPI 3.1 on; beside others stand words alone.
func (b *builder) follow(made *node, n *yaml.Node, ref, shapeName string) {
	target, err := b.refs.find(ref)
	if err != nil {
		b.fail(err)
		return
	}
	if shapeName != "schema" || b.version == "3.0" || len(n.Content) == 2 {
		made.same = b.object(target, shapeName)
		b.label(made.same, ref)
		return
	}
	b.schemas = append(b.schemas, made)
	beside := filter(n, func(key string, value *yaml.Node) *yaml.Node {
		if key == "$ref" {
			return nil
		}
		return value
	})
	b.fields(made, beside, shapes["schema"])
	b.finish(made, beside, "schema")
	referred := b.object(target, "schema")
	b.label(referred, ref)
	all := made.get("allOf")
	if all == nil {
		all = &node{kind: set}
		made.put("allOf", all)
	}
	all.kids = append(all.kids, referred)
}

func (b *builder) label(n *node, ref string) {
	if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); ok && n.name == "" && !strings.Contains(name, "/") {
		n.name = unescape(name)
	}
}

// value is a plain value. What it refers to in its document comes with it, whatever the
// keyword: a reference in it is followed.
func (b *builder) value(n *yaml.Node) *node {
	key := place{n, ""}
	if made := b.built[key]; made != nil {
		return made
	}
	if b.depth++; b.depth > maxDepth {
		return b.fail(errors.New("it is nested too deep"))
	}
	defer func() { b.depth-- }()
	made := b.node(n)
	if b.err != nil {
		return made
	}
	b.built[key] = made
	switch n.Kind {
	case yaml.MappingNode:
		for name, value := range pairs(n) {
			if target, err := b.refs.find(value.Value); name == "$ref" && err == nil && value.Kind == yaml.ScalarNode {
				made.put(name, b.referred(target, value.Value))
				continue
			}
			made.put(name, b.value(value))
		}
	case yaml.SequenceNode:
		made.kind = list
		for _, child := range n.Content {
			made.kids = append(made.kids, b.value(child))
		}
	default:
		*made = *scalarNode(n)
		made.tail = b.tail[n]
	}
	return made
}

// unknown is the value of a field that has no shape. A name of another part brings that in.
func (b *builder) unknown(n *yaml.Node, of *node) *node {
	if n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "#") && !slices.Contains(of.written, "operationRef") {
		if target, err := b.refs.find(n.Value); err == nil {
			return b.referred(target, n.Value)
		}
	}
	return b.value(n)
}

func (b *builder) referred(target *yaml.Node, ref string) *node {
	if strings.Contains(ref, "/schemas/") || !strings.HasPrefix(ref, "#/") {
		return b.object(target, "schema")
	}
	return b.value(target)
}

// sequenceOrValue reads an extension, in which the order of a list says nothing.
func (b *builder) sequenceOrValue(n *yaml.Node) *node {
	if n.Kind == yaml.SequenceNode {
		return b.sequence(n, part{"", unordered})
	}
	return b.value(n)
}

// mediaType is one in the form in which it is compared. JSON is UTF-8 whether it is said or not.
func mediaType(name string) string {
	base, params, err := mime.ParseMediaType(name)
	if err != nil {
		return strings.ToLower(strings.TrimSpace(name))
	}
	if strings.HasSuffix(base, "json") && strings.EqualFold(params["charset"], "utf-8") {
		delete(params, "charset")
	}
	if charset, ok := params["charset"]; ok {
		params["charset"] = strings.ToLower(charset)
	}
	return mime.FormatMediaType(base, params)
}

// leaveOutDefaults drops the fields that say what their absence says.
func leaveOutDefaults(n *node, defaults map[string]string) {
	for key, says := range defaults {
		value := n.get(key)
		if value == nil {
			continue
		}
		if value.is(says) || (says == "{}" || says == "[]") && value.empty() {
			n.drop(key)
		}
	}
}
