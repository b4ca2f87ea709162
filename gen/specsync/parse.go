package main

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is an OpenAPI document and the text that it was read from.
type document struct {
	root *yaml.Node          // the top mapping
	text []byte              // YAML; nil where it was read from JSON
	tail map[*yaml.Node]bool // what the end of the text may have cut short
}

var (
	openAPI3Minor = regexp.MustCompile(`^3\.\d+`)
	yamlDirective = regexp.MustCompile(`\A(?:[ \t]*(?:#[^\n]*)?\n)*%YAML[^\n]*\n`)
	byteOrderMark = []byte("\ufeff")
	breakingLines = regexp.MustCompile("[\u2028\u2029\u0085]")
)

// parse reads one OpenAPI 3 document, YAML or JSON.
func parse(data []byte) (*document, error) {
	doc, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	if doc.root.Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping at the top")
	}
	switch {
	case has(doc.root, "swagger"):
		return nil, errors.New("it is Swagger 2, and OpenAPI 3 is what can be compared")
	case !openAPI3Minor.MatchString(text(doc.root, "openapi")):
		return nil, errors.New("it has no field openapi with a version 3")
	}
	return doc, nil
}

func parseTree(data []byte) (*document, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return parseYAML(data)
	}
	// A YAML parser reads most JSON, but not its escapes for characters beyond 16 bits.
	root, err := parseJSON(data)
	if err == nil {
		return &document{root: root}, nil
	}
	if doc, yamlErr := parseYAML(data); yamlErr == nil {
		return doc, nil
	}
	return nil, err
}

func parseYAML(data []byte) (*document, error) {
	data = yamlDirective.ReplaceAll(data, nil) // 1.2 is what is read here, and what the parser refuses by name
	plain, restore := withoutSeparators(data)
	var top yaml.Node
	if err := yaml.Load(plain, &top); err != nil {
		if !bytes.Equal(plain, data) { // then they are meant as what YAML 1.1 took them for
			return parseYAML(breakingLines.ReplaceAll(data, []byte("\n")))
		}
		return nil, oneLine(err)
	}
	if manyKeys(&top) {
		return nil, fmt.Errorf("a mapping in it has over %d keys, which takes too long to read", maxKeys)
	}
	// Decoding finds what the tree hides: keys given twice, aliases that hold
	// themselves or expand without end. Only then is it safe to follow them.
	var value any
	if err := top.Decode(&value); err != nil {
		return nil, oneLine(err)
	}
	if len(top.Content) == 0 {
		return nil, errors.New("it is empty")
	}
	doc := &document{text: data, tail: map[*yaml.Node]bool{}}
	if !endMarked(data) {
		doc.tail = tailOf(top.Content[0])
	}
	followAliases(&top)
	seen := map[*yaml.Node]bool{}
	restoreAll(&top, restore, seen)
	mergeKeys(&top, map[*yaml.Node]bool{})
	doc.root = top.Content[0]
	return doc, nil
}

// maxKeys bounds a mapping in YAML: decoding holds each key against every other.
const maxKeys = 5_000

func manyKeys(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && len(n.Content) > 2*maxKeys || slices.ContainsFunc(n.Content, manyKeys)
}

// separators are line breaks to this parser, and characters like others to YAML 1.2 and
// to JSON. Where they are read as breaks, line numbers are no longer those of the text.
var separators = []string{"\u2028", "\u2029", "\u0085"}

// withoutSeparators replaces them by characters that the text does not have, and returns
// the way back.
func withoutSeparators(data []byte) (plain []byte, restore *strings.Replacer) {
	plain = data
	var back []string
	free := '\ue000'
	for _, separator := range separators {
		if !bytes.Contains(data, []byte(separator)) {
			continue
		}
		for bytes.ContainsRune(data, free) && free < '\uf8ff' {
			free++
		}
		plain = bytes.ReplaceAll(plain, []byte(separator), []byte(string(free)))
		back = append(back, string(free), separator)
		free++
	}
	return plain, strings.NewReplacer(back...)
}

func restoreAll(n *yaml.Node, restore *strings.Replacer, seen map[*yaml.Node]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	n.Value = restore.Replace(n.Value)
	for _, child := range n.Content {
		restoreAll(child, restore, seen)
	}
}

// endMarked says whether the text ends with YAML's own mark of a document's end.
func endMarked(data []byte) bool {
	trimmed := bytes.TrimRight(data, " \t\n")
	return bytes.HasSuffix(trimmed, []byte("\n...")) && bytes.HasSuffix(data, []byte("\n"))
}

// tailOf are the nodes that the text's end leaves unfinished, from the top down: a block
// mapping or sequence may go on below the last line, a plain scalar may be a part of
// itself. What has an end of its own, as a bracket or a quote, has been read whole.
func tailOf(n *yaml.Node) map[*yaml.Node]bool {
	tail := map[*yaml.Node]bool{}
	for {
		closed := n.Style & (yaml.FlowStyle | yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle)
		if n.Kind == yaml.AliasNode || closed != 0 {
			return tail
		}
		tail[n] = true
		if len(n.Content) == 0 {
			return tail
		}
		n = n.Content[len(n.Content)-1]
	}
}

// oneLine keeps an error of a parser, which may list several, on one line.
func oneLine(err error) error {
	return fmt.Errorf("%s", strings.Join(strings.Fields(err.Error()), " "))
}
