package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/getkin/kin-openapi/openapi3"
	"go.yaml.in/yaml/v4"
)

// contract is what a source says of our operation.
type contract struct {
	text  []byte      // YAML: the operation, what it refers to, the head; nil where it is gone
	spec  *openapi3.T // the same, resolved
	names []string    // every key of text, to know its extensions by
	open  bool        // it asks for no credentials, and its document has no components at all
}

func (c *contract) gone() bool { return c.text == nil }

func read(ctx context.Context, from fetcher, source string) (*contract, error) {
	data, err := from.fetch(ctx, source)
	if err != nil {
		return nil, err
	}
	c, err := contractIn(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return c, nil
}

// contractIn finds our operation in what a source gave. A document without it is an
// answer; one that is not whole is an error.
func contractIn(data []byte) (*contract, error) {
	doc, err := find(data)
	if err != nil {
		return nil, err
	}
	part := slice(doc.root)
	if part == nil {
		return withoutOperation(doc.root)
	}
	text, err := render(doc, part)
	if err != nil {
		return nil, err
	}
	spec, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, broken(err)
	}
	if err := whole(spec); err != nil {
		return nil, broken(err)
	}
	open := len(schemesOf(spec)) == 0 && !has(doc.root, "components")
	return &contract{text: text, spec: spec, names: keys(part), open: open}, nil
}

// whole finds what is missing where a document breaks off and still reads as YAML. It
// asks for no more: a validator's finer rules would refuse what can well be compared.
func whole(spec *openapi3.T) error {
	item := spec.Paths.Find(operationPath)
	if item == nil || item.Post == nil {
		return errors.New("there is nothing in it")
	}
	if item.Post.Responses.Len() == 0 {
		return errors.New("it has no responses")
	}
	for name := range schemesOf(spec) {
		if spec.Components == nil || spec.Components.SecuritySchemes[name] == nil {
			return fmt.Errorf("its security scheme %q is not there", name)
		}
		scheme := spec.Components.SecuritySchemes[name].Value
		if scheme == nil || scheme.Type == "" || scheme.Type == "http" && scheme.Scheme == "" {
			return fmt.Errorf("its security scheme %q does not say what it is", name)
		}
	}
	return nil
}

// withoutOperation tells a document that dropped our operation from one that lost it
// because its end is missing.
func withoutOperation(root *yaml.Node) (*contract, error) {
	paths := get(root, "paths")
	if paths == nil || paths.Kind != yaml.MappingNode {
		return nil, errors.New("it has no paths, so it is not whole or not an API's description; check SOURCE, or try again")
	}
	for path, item := range pairs(paths) {
		if item.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s is not in it, and nothing is said of %s: it is not whole; try again", operationName, path)
		}
	}
	if has(paths, operationPath, "$ref") {
		return nil, fmt.Errorf("its %s is a reference, which specsync does not follow; compare by hand", operationPath)
	}
	if name, ok := dangling(root); ok {
		return nil, fmt.Errorf("%s is not in it, and neither is %s, to which it refers: it is not whole; try again", operationName, name)
	}
	return &contract{spec: &openapi3.T{OpenAPI: "3.1.0", Paths: openapi3.NewPaths()}}, nil
}

func broken(err error) error {
	return fmt.Errorf("%s does not hold together, so it may not be whole: %w; try again, then look at SOURCE", operationName, oneLine(err))
}

// dangling is a component that the document refers to and does not hold.
func dangling(n *yaml.Node) (string, bool) {
	var missing string
	seen := map[*yaml.Node]bool{}
	var walk func(at *yaml.Node)
	walk = func(at *yaml.Node) {
		if seen[at] || missing != "" {
			return
		}
		seen[at] = true
		if ref := get(at, "$ref"); ref != nil {
			if c, ok := referred(ref.Value); ok && !has(n, "components", c.kind, c.name) {
				missing = ref.Value
			}
		}
		for _, child := range at.Content {
			walk(child)
		}
	}
	walk(n)
	return missing, missing != ""
}

// keys are the keys of every mapping in a tree.
func keys(n *yaml.Node) []string {
	var all []string
	for key := range pairs(n) {
		all = append(all, key)
	}
	for _, child := range n.Content {
		all = append(all, keys(child)...)
	}
	return all
}
