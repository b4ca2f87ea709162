package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// references finds what a $ref names in its document.
type references struct {
	root  *yaml.Node
	named map[string]*yaml.Node // by $anchor or $dynamicAnchor ("#name") and by $id
}

func referencesOf(root *yaml.Node) *references {
	r := &references{root: root, named: map[string]*yaml.Node{}}
	seen := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for key, value := range pairs(n) {
			if value.Kind != yaml.ScalarNode || value.Value == "" {
				continue
			}
			switch key {
			case "$anchor", "$dynamicAnchor":
				r.named["#"+value.Value] = n
			case "$id":
				r.named[value.Value] = n
			}
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(root)
	return r
}

// find returns what ref names. It follows references on the way, and not the last one.
func (r *references) find(ref string) (*yaml.Node, error) {
	if n := r.named[ref]; n != nil {
		return n, nil
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, fmt.Errorf("%q is an external reference or one to nothing", ref)
	}
	at := r.root
	for step := range strings.SplitSeq(pointer, "/") {
		at = r.step(at, unescape(step))
		if at == nil {
			return nil, fmt.Errorf("%q is not in it", ref)
		}
	}
	return at, nil
}

// step goes from n to a key or an index, through references that stand between.
func (r *references) step(n *yaml.Node, key string) *yaml.Node {
	for range maxDepth {
		if n.Kind == yaml.SequenceNode {
			if i, err := strconv.Atoi(key); err == nil && i >= 0 && i < len(n.Content) {
				return n.Content[i]
			}
			return nil
		}
		if next := get(n, key); next != nil {
			return next
		}
		ref := text(n, "$ref")
		if ref == "" {
			return nil
		}
		pointer, ok := strings.CutPrefix(ref, "#/")
		if !ok {
			return nil
		}
		n = r.root
		for step := range strings.SplitSeq(pointer, "/") { // one plain way down: no loop through others
			if n = get(n, unescape(step)); n == nil {
				return nil
			}
		}
	}
	return nil
}

// unescape reads one step of a JSON pointer in a URI fragment.
func unescape(step string) string {
	if plain, err := url.PathUnescape(step); err == nil {
		step = plain
	}
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
}

// dangling is a reference of the document to what it does not hold; "" where there is
// none. Data that only looks like a reference is left out.
func (r *references) dangling() string {
	var missing string
	seen := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if seen[n] || missing != "" {
			return
		}
		seen[n] = true
		if n.Kind != yaml.MappingNode {
			for _, child := range n.Content {
				walk(child)
			}
			return
		}
		for key, value := range pairs(n) {
			switch {
			case key == "$ref" && value.Kind == yaml.ScalarNode && strings.HasPrefix(value.Value, "#"):
				if _, err := r.find(value.Value); err != nil {
					missing = value.Value
				}
			case isData(key) || strings.HasPrefix(key, "x-"):
			default:
				walk(value)
			}
		}
	}
	for key, value := range pairs(r.root) {
		if key != "tags" && key != "info" && !strings.HasPrefix(key, "x-") {
			walk(value)
		}
	}
	return missing
}

// isData says whether what stands under a key of a schema or an example is a value, in which
// nothing refers to anything.
func isData(key string) bool {
	switch key {
	case "example", "examples", "default", "enum", "const":
		return true
	}
	return false
}
