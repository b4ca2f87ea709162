package main

import (
	"encoding/json"
	"slices"
	"strings"
)

// node is a part of a contract in the form in which contracts are compared: references
// followed, words left out, and what may be written in several ways written in one.
// Schemas that hold themselves make it a graph with cycles.
type node struct {
	kind  kind
	value string   // of a scalar: JSON
	keys  []string // of an object, one for each child
	kids  []*node
	name  string // as the source has it: of a component, or of a header that is compared in small letters
	title string // of a schema, by which oasdiff knows one alternative from another

	tail    bool     // the end of the text may have cut it short
	written []string // the keys of an object as its source has them, words included

	same  *node // it says what this one says; see the
	class int   // equal for nodes that say the same; see classify
}

type kind int

const (
	scalar kind = iota
	object
	list
	set // the order does not count, nor does a repetition
	bag // the order does not count
)

// the is the node that stands for n.
func the(n *node) *node {
	for range maxDepth {
		if n.same == nil {
			return n
		}
		n = n.same
	}
	return &node{kind: object} // a schema that is only itself accepts anything
}

func (n *node) get(key string) *node {
	if i := slices.Index(n.keys, key); n.kind == object && i >= 0 {
		return the(n.kids[i])
	}
	return nil
}

func (n *node) put(key string, value *node) {
	if i := slices.Index(n.keys, key); i >= 0 {
		n.kids[i] = value
		return
	}
	n.keys, n.kids = append(n.keys, key), append(n.kids, value)
}

func (n *node) drop(key string) {
	if i := slices.Index(n.keys, key); i >= 0 {
		n.keys, n.kids = slices.Delete(slices.Clone(n.keys), i, i+1), slices.Delete(slices.Clone(n.kids), i, i+1)
	}
}

// has says whether n has one of keys.
func (n *node) has(keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return n.get(key) != nil })
}

func (n *node) is(value string) bool { return n.kind == scalar && n.value == value }

func (n *node) empty() bool { return n.kind != scalar && len(n.kids) == 0 }

// values are the scalars of a list or set.
func (n *node) values() []string {
	var all []string
	for _, kid := range n.kids {
		all = append(all, the(kid).value)
	}
	return all
}

func (n *node) holds(value string) bool { return slices.Contains(n.values(), value) }

func stringNode(s string) *node {
	return &node{value: quoted(s)}
}

func quoted(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always can be
	return strings.TrimSuffix(b.String(), "\n")
}
