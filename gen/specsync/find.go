package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is an OpenAPI document and the text that it was read from.
type document struct {
	root *yaml.Node // the top mapping
	text []byte     // YAML; nil where it was read from JSON
}

// find gives the OpenAPI document in data, which is one itself or is a page that
// holds one in a code fence. Of several, the one with our operation.
func find(data []byte) (*document, error) {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	doc, err := parse(data)
	if err == nil {
		return doc, nil
	}
	var first *document
	blocks, open := fences(data)
	for _, block := range blocks {
		inFence, err := parse(block)
		if err != nil {
			continue
		}
		if has(inFence.root, "paths", operationPath, operationMethod) {
			return inFence, nil
		}
		if first == nil {
			first = inFence
		}
	}
	switch {
	case first == nil && bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")):
		return nil, errors.New("an HTML page, not a specification; give the address of the document itself, or of the page's .md")
	case open:
		return nil, errors.New("ends inside a code fence, so it is not whole; try again")
	case first != nil:
		return first, nil
	case len(blocks) > 0:
		return nil, errors.New("a page without an OpenAPI document in its code fences; give the page of " + operationName)
	default:
		return nil, fmt.Errorf("not an OpenAPI document: %w; give one in YAML or JSON, or a docs page that holds it", err)
	}
}

// fences gives the contents of a Markdown page's code fences, and whether the last
// one is still open at the page's end. Fences that are indented, as inside a list,
// give their content without the indentation.
func fences(page []byte) (blocks [][]byte, open bool) {
	var fence, indent string
	var block []byte
	for line := range bytes.Lines(page) {
		text := string(bytes.TrimRight(line, "\n"))
		trimmed := strings.TrimLeft(text, " ")
		run := fenceOf(trimmed)
		switch {
		case fence == "" && run != "":
			fence, indent, block = run, text[:len(text)-len(trimmed)], nil
		case fence != "" && strings.HasPrefix(run, fence) && strings.TrimSpace(trimmed) == run:
			blocks = append(blocks, block)
			fence = ""
		case fence != "":
			block = append(block, bytes.TrimPrefix(line, []byte(indent))...)
		}
	}
	return blocks, fence != ""
}

// fenceOf is the run of three or more backticks or tildes that line starts with.
func fenceOf(line string) string {
	for _, mark := range []string{"`", "~"} {
		run := line[:len(line)-len(strings.TrimLeft(line, mark))]
		if len(run) < 3 {
			continue
		}
		if mark == "`" && strings.Contains(line[len(run):], mark) {
			return "" // a code span, as Markdown has it
		}
		return run
	}
	return ""
}

// parse reads one OpenAPI 3 document, YAML or JSON.
func parse(data []byte) (*document, error) {
	doc, err := parseTree(data)
	if err != nil {
		return nil, err
	}
	if doc.root.Kind != yaml.MappingNode {
		return nil, errors.New("it is no mapping at the top")
	}
	version := get(doc.root, "openapi")
	switch {
	case get(doc.root, "swagger") != nil:
		return nil, errors.New("it is Swagger 2, and OpenAPI 3 is what can be compared")
	case version == nil || !strings.HasPrefix(version.Value, "3."):
		return nil, errors.New("it has no field openapi with a version 3")
	}
	return doc, nil
}

func parseTree(data []byte) (*document, error) {
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
	var top yaml.Node
	if err := yaml.Load(data, &top); err != nil {
		return nil, oneLine(err)
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
	followAliases(&top)
	return &document{root: top.Content[0], text: data}, nil
}

func followAliases(n *yaml.Node) {
	for i, child := range n.Content {
		if child.Kind == yaml.AliasNode {
			n.Content[i] = child.Alias
			continue
		}
		followAliases(child)
	}
}

// oneLine keeps an error of the YAML parser, which may list several, on one line.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.Fields(err.Error()), " "))
}
