package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// find returns the OpenAPI document in data, which is one itself or is a page that
// holds one in a code fence. Of several, the one with our operation.
func find(data []byte) (*document, error) {
	doc, err := parse(data)
	if err == nil {
		return doc, nil
	}
	var first *document
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	blocks, unclosed := fences(data)
	for _, block := range blocks {
		inFence, err := parse(block)
		if err != nil {
			continue
		}
		inFence.tail = nil // the fence shows its end
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
	case unclosed:
		return nil, errors.New("ends inside a code fence, so it is not whole; try again")
	case first != nil:
		return first, nil
	case len(blocks) > 0:
		return nil, errors.New("a page without an OpenAPI document in its code fences; give the page of " + operationName)
	default:
		return nil, fmt.Errorf("not an OpenAPI document: %w; give one in YAML or JSON, or a docs page that holds it", err)
	}
}

// fences returns the contents of a Markdown page's code fences, and whether the last
// one is not closed at the page's end. The contents of indented fences,
// as inside a list, are returned without the indentation.
func fences(page []byte) (blocks [][]byte, unclosed bool) {
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
