package main

import (
	"iter"

	"go.yaml.in/yaml/v4"
)

// pairs are a mapping's entries in their order; anything else has none.
func pairs(n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i].Value, n.Content[i+1]) {
				return
			}
		}
	}
}

// get follows keys down from n; nil where one is missing.
func get(n *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		var next *yaml.Node
		for k, v := range pairs(n) {
			if k == key {
				next = v
				break
			}
		}
		if n = next; n == nil {
			return nil
		}
	}
	return n
}

func has(n *yaml.Node, keys ...string) bool {
	return get(n, keys...) != nil
}

// text is the string at a place; "" where there is none.
func text(n *yaml.Node, keys ...string) string {
	if at := get(n, keys...); at != nil && at.Kind == yaml.ScalarNode {
		return at.Value
	}
	return ""
}

// keysOf are a mapping's keys in their order.
func keysOf(n *yaml.Node) []string {
	var keys []string
	for key := range pairs(n) {
		keys = append(keys, key)
	}
	return keys
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// filter is a copy of a mapping with what keep returns for its entries, less those
// for which it returns nil; nil where nothing is left.
func filter(n *yaml.Node, keep func(key string, value *yaml.Node) *yaml.Node) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	kept := *n
	kept.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := keep(n.Content[i].Value, n.Content[i+1]); value != nil {
			kept.Content = append(kept.Content, n.Content[i], value)
		}
	}
	if kept.Content == nil {
		return nil
	}
	return &kept
}

// followAliases puts what aliases stand for in their place.
func followAliases(n *yaml.Node) {
	for i, child := range n.Content {
		if child.Kind == yaml.AliasNode {
			n.Content[i] = child.Alias
			continue
		}
		followAliases(child)
	}
}

// mergeKeys puts the entries that a merge key (<<) brings in into their mapping. Aliases
// must have been followed. seen holds the mappings that are done.
func mergeKeys(n *yaml.Node, seen map[*yaml.Node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	for _, child := range n.Content {
		mergeKeys(child, seen)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	var own, brought []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Tag != "!!merge":
			own = append(own, key, value)
		case value.Kind == yaml.SequenceNode: // the first of several wins
			for _, one := range value.Content {
				brought = append(brought, one.Content...)
			}
		default:
			brought = append(brought, value.Content...)
		}
	}
	present := map[string]bool{}
	for i := 0; i+1 < len(own); i += 2 {
		present[own[i].Value] = true
	}
	for i := 0; i+1 < len(brought); i += 2 {
		if key := brought[i].Value; !present[key] {
			present[key] = true
			own = append(own, brought[i], brought[i+1])
		}
	}
	n.Content = own
}
