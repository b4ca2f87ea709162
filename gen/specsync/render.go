package main

import (
	"bytes"
	"errors"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// render writes the extract of doc as YAML. Where it can it cuts the lines that are not
// in it out of the source, so that what stays keeps its style to the byte; else, as
// for JSON, it writes the extract anew.
func render(doc *document, extracted *yaml.Node) ([]byte, error) {
	if doc.text != nil {
		if text := cut(doc, extracted); same(text, extracted) {
			return text, nil
		}
	}
	text, err := yaml.Dump(plain(extracted), yaml.WithV4Defaults(), yaml.WithCompactSeqIndent(false))
	if err != nil {
		return nil, err
	}
	if !same(text, extracted) {
		return nil, errors.New("cannot be written as YAML without a change of its meaning; the vendored file has to be edited by hand")
	}
	return text, nil
}

// cut removes from the text the lines of every entry that the extract leaves out. It
// need not get every notation right: the caller checks what comes out.
func cut(doc *document, extracted *yaml.Node) []byte {
	lines := bytes.SplitAfter(doc.text, []byte("\n"))
	var walk func(from, kept *yaml.Node, end int)
	walk = func(from, kept *yaml.Node, end int) {
		if from.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(from.Content); i += 2 {
			key := from.Content[i]
			start, stop := firstLine(lines, key), end
			if i+2 < len(from.Content) {
				stop = firstLine(lines, from.Content[i+2])
			}
			switch value := get(kept, key.Value); {
			case value == nil:
				for l := max(start, 0); l < min(stop, len(lines)); l++ {
					lines[l] = nil
				}
			case value != from.Content[i+1]:
				walk(from.Content[i+1], value, stop)
			}
		}
	}
	walk(doc.root, extracted, len(lines))
	return bytes.Join(lines, nil)
}

// firstLine is the index of the line where key's entry begins, the comments that
// stand over it at its own depth included.
func firstLine(lines [][]byte, key *yaml.Node) int {
	first := key.Line - 1
	comment := []byte(strings.Repeat(" ", key.Column-1) + "#")
	for first > 0 && first <= len(lines) && bytes.HasPrefix(lines[first-1], comment) {
		first--
	}
	return first
}

// plain copies a tree without what ties it to its source: flow style, line numbers,
// comments, anchors. Quotes are left to the writer.
func plain(n *yaml.Node) *yaml.Node {
	c := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value}
	switch {
	case strings.Contains(n.Value, "\n"):
		c.Style = yaml.LiteralStyle
	case len(n.Value) > 60: // the published file folds what is long
		c.Style = yaml.FoldedStyle
	}
	for _, child := range n.Content {
		c.Content = append(c.Content, plain(child))
	}
	return c
}

// same says whether text reads as tree does.
func same(text []byte, tree *yaml.Node) bool {
	var fromText, fromTree any
	if yaml.Load(text, &fromText) != nil || plain(tree).Decode(&fromTree) != nil {
		return false
	}
	return reflect.DeepEqual(fromText, fromTree)
}
