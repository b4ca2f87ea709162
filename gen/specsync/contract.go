package main

import (
	"context"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// contract is what a source says of our operation.
type contract struct {
	doc     *document
	meaning *node    // in the form in which contracts are compared
	rules   []string // sentences that say in words what is accepted
	levels  [3]level // the operation, its path, the document
	found   bool     // it holds our operation
}

// gone says whether the document no longer has our operation.
func (c *contract) gone() bool { return !c.found }

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

// contractIn finds our operation in what a source returned. A document without it is an
// answer; one that is not whole is an error.
func contractIn(data []byte) (*contract, error) {
	doc, err := find(data)
	if err != nil {
		return nil, err
	}
	return contractOf(doc)
}

func contractOf(doc *document) (*contract, error) {
	refs := referencesOf(doc.root)
	b := &builder{refs: refs, tail: doc.tail, version: openAPI3Minor.FindString(text(doc.root, "openapi")), built: map[place]*node{}}
	c := &contract{doc: doc, meaning: &node{kind: object}}
	c.meaning.put("openapi", stringNode(b.version))
	item, err := pathItem(refs)
	if err != nil {
		return nil, incomplete(err)
	}
	if !has(item, operationMethod) {
		if err := checkEnded(doc, refs); err != nil {
			return nil, err
		}
		return c, nil
	}
	op := get(item, operationMethod)
	c.found = true
	c.levels = [3]level{b.level(op), b.level(item), b.level(doc.root)}
	if dialect := get(doc.root, "jsonSchemaDialect"); dialect != nil {
		c.meaning.put("dialect", b.value(dialect))
	}
	called := b.call(doc.root, item, operationMethod)
	c.meaning.put("operation", called)
	if b.err != nil {
		return nil, incomplete(b.err)
	}
	simplify(b.schemas)
	if err := checkComplete(called); err != nil {
		return nil, incomplete(err)
	}
	c.rules = b.rules
	return c, nil
}

// pathItem is what the document says of our path, where it refers to it too.
func pathItem(refs *references) (*yaml.Node, error) {
	item := get(refs.root, "paths", operationPath)
	if item != nil && item.Kind != yaml.MappingNode {
		return nil, errors.New("nothing is said of its path")
	}
	for range maxDepth {
		ref := text(item, "$ref")
		if ref == "" || has(item, operationMethod) {
			return item, nil
		}
		target, err := refs.find(ref)
		if err != nil {
			return nil, err
		}
		item = target
	}
	return nil, errors.New("its path refers to itself")
}
