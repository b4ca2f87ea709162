package main

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// head is what of a document's top is kept beside the operation and its components.
var head = []string{"openapi", "jsonSchemaDialect", "info", "externalDocs", "servers", "security", "tags"}

// extract keeps of a document our operation, everything that it refers to, and the
// document's head, in the order in which they stand: a document of its own, as other tools
// read it. What it keeps as it is, it shares with the tree that it was given.
func extract(root *yaml.Node) (*yaml.Node, error) {
	x := &extractor{
		refs: referencesOf(root), used: map[component]*yaml.Node{},
		inlined: map[*yaml.Node]*yaml.Node{}, inlining: map[*yaml.Node]bool{}, walked: map[*yaml.Node]bool{},
	}
	item, err := pathItem(x.refs)
	if err != nil {
		return nil, err
	}
	item = filter(item, func(key string, value *yaml.Node) *yaml.Node {
		if key == "$ref" || key != operationMethod && slices.Contains(methods, key) {
			return nil
		}
		return value
	})
	item = x.inline(item)
	x.walk(item)
	x.secure(get(root, "security"))
	if x.err != nil {
		return nil, x.err
	}
	return filter(root, func(key string, value *yaml.Node) *yaml.Node {
		switch {
		case key == "openapi":
			return asString(value)
		case key == "info":
			return filter(value, func(key string, value *yaml.Node) *yaml.Node {
				if key == "version" {
					return asString(value)
				}
				return value
			})
		case key == "tags":
			return withoutReferences(value)
		case slices.Contains(head, key):
			return value
		case key == "paths":
			return filter(value, func(key string, _ *yaml.Node) *yaml.Node {
				if key == operationPath {
					return item
				}
				return nil
			})
		case key == "components":
			return filter(value, func(kind string, of *yaml.Node) *yaml.Node {
				return filter(of, func(name string, _ *yaml.Node) *yaml.Node { return x.used[component{kind, name}] })
			})
		default:
			return nil
		}
	}), nil
}

// asString is a version that YAML reads as a number, as other tools need it.
func asString(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!str" {
		return n
	}
	s := *n
	s.Tag = "!!str"
	return &s
}

// withoutReferences keeps the tags that stand for themselves: what others refer to is not kept.
func withoutReferences(tags *yaml.Node) *yaml.Node {
	kept := *tags
	kept.Content = slices.DeleteFunc(slices.Clone(tags.Content), func(tag *yaml.Node) bool {
		if has(tag, "$ref") {
			return true
		}
		for _, value := range pairs(tag) {
			if has(value, "$ref") {
				return true
			}
		}
		return false
	})
	switch len(kept.Content) {
	case len(tags.Content):
		return tags
	case 0:
		return nil
	}
	return &kept
}

// component names an entry of a document's components.
type component struct{ kind, name string }

// extractor collects the components that an operation refers to, directly or through one
// another.
type extractor struct {
	refs             *references
	used             map[component]*yaml.Node
	inlined          map[*yaml.Node]*yaml.Node
	inlining, walked map[*yaml.Node]bool
	err              error
}

func (x *extractor) use(c component) {
	target := get(x.refs.root, "components", c.kind, c.name)
	if target == nil || x.used[c] != nil {
		return
	}
	x.used[c] = target // for those that refer back to it
	target = x.inline(target)
	x.used[c] = target
	x.walk(target)
}

// secure uses the schemes that security asks for.
func (x *extractor) secure(security *yaml.Node) {
	if security == nil || security.Kind != yaml.SequenceNode {
		return
	}
	for _, requirement := range security.Content {
		for scheme := range pairs(requirement) {
			x.use(component{"securitySchemes", scheme})
		}
	}
}

func (x *extractor) walk(n *yaml.Node) {
	if x.walked[n] { // a tree whose aliases are followed meets nodes twice
		return
	}
	x.walked[n] = true
	for key, value := range pairs(n) {
		if c, ok := referred(value.Value); ok && value.Kind == yaml.ScalarNode && key != "operationRef" {
			x.use(c)
		}
	}
	x.secure(get(n, "security")) // of the operation, or of a callback's
	for _, to := range pairs(get(n, "discriminator", "mapping")) {
		if _, ok := referred(to.Value); !ok {
			x.use(component{"schemas", to.Value}) // a bare name is allowed here
		}
	}
	for _, child := range n.Content {
		x.walk(child)
	}
}

// inline is n with what it refers to outside of the components, as in another path, in the
// place of the reference. It is n itself where there is nothing of that kind.
func (x *extractor) inline(n *yaml.Node) *yaml.Node {
	if done := x.inlined[n]; done != nil {
		return done
	}
	x.inlined[n] = n
	if ref := text(n, "$ref"); ref != "" && !stays(ref) {
		x.inlined[n] = x.target(n, ref)
		return x.inlined[n]
	}
	changed := *n
	changed.Content = slices.Clone(n.Content)
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 && !isData(n.Content[i-1].Value) {
			changed.Content[i] = x.inline(child)
		}
	}
	if !slices.Equal(changed.Content, n.Content) {
		x.inlined[n] = &changed
	}
	return x.inlined[n]
}

func (x *extractor) target(n *yaml.Node, ref string) *yaml.Node {
	target, err := x.refs.find(ref)
	if err == nil && x.inlining[target] {
		err = fmt.Errorf("%q holds itself outside of the components, so it cannot be taken over; the vendored file has to be edited by hand", ref)
	}
	if err != nil {
		if x.err == nil {
			x.err = err
		}
		return n
	}
	x.inlining[target] = true
	defer delete(x.inlining, target)
	whole := x.inline(target)
	beside := filter(n, func(key string, value *yaml.Node) *yaml.Node {
		if key == "$ref" || key == "description" || key == "summary" {
			return nil
		}
		return value
	})
	if beside == nil {
		return whole
	}
	beside.Content = append(beside.Content,
		&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "allOf"},
		&yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: []*yaml.Node{whole}})
	return beside
}

// stays says whether a reference still leads somewhere when only our operation and
// components are kept.
func stays(ref string) bool {
	for _, kept := range []string{"#/components/", "#/paths/~1notifications/post/", "#/paths/~1notifications/parameters/"} {
		if strings.HasPrefix(ref, kept) {
			return true
		}
	}
	return false
}

// referred is the component that a reference names, or of which it names a part.
func referred(ref string) (component, bool) {
	rest, ok := strings.CutPrefix(ref, "#/components/")
	if !ok {
		return component{}, false
	}
	kind, name, ok := strings.Cut(rest, "/")
	if !ok {
		return component{}, false
	}
	name, _, _ = strings.Cut(name, "/") // a reference into a component needs all of it
	return component{kind, unescape(name)}, true
}
