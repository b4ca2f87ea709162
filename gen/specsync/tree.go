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

// filter is a copy of a mapping with what keep gives for its entries, less those
// for which it gives nil; nil where nothing is left.
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
