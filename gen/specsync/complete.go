package main

import (
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// checkComplete finds gaps in a document that was cut off and is still valid YAML.
// It asks for no more: a validator's finer rules would refuse what can well be compared.
func checkComplete(operation *node) error {
	if operation.kind != object || operation.empty() {
		return errors.New("there is nothing in it")
	}
	if responses := operation.get("responses"); responses == nil || responses.kind != object || responses.empty() {
		return errors.New("it has no responses")
	}
	return nil
}

func incomplete(err error) error {
	return fmt.Errorf("%s does not hold together, so it may not be whole: %w; try again, then look at SOURCE", operationName, oneLine(err))
}

func missingScheme(name string) error {
	return fmt.Errorf("its security scheme %q is not there", name)
}

// checkEnded tells a document that dropped our operation from one that lost it because
// its end is missing.
func checkEnded(doc *document, refs *references) error {
	paths := get(doc.root, "paths")
	if paths == nil || paths.Kind != yaml.MappingNode {
		return errors.New("it has no paths, so it is not whole or not an API's description; check SOURCE, or try again")
	}
	if doc.tail[paths] {
		return fmt.Errorf("%s is not in it, and its paths are the last thing in it: it may have been cut short; try again, or give it as JSON", operationName)
	}
	return checkRest(doc, refs)
}

// checkRest looks for the marks of a cut in what our operation does not reach.
func checkRest(doc *document, refs *references) error {
	if !doc.tail[doc.root] {
		return nil // its end has been seen
	}
	if name := refs.dangling(); name != "" {
		return fmt.Errorf("it refers to %s and does not hold it, so it is not whole; try again", name)
	}
	for n := range doc.tail {
		if isNull(n) {
			return errors.New("it ends at a key without a value, so it is not whole; try again")
		}
	}
	if unused, all := unusedComponents(doc.root); doc.tail[get(doc.root, "paths")] && unused > max(2, all/4) {
		return fmt.Errorf("its paths are the last thing in it and use %d of its %d components, so more of them may have followed; try again, or give it as JSON", all-unused, all)
	}
	for path, item := range pairs(get(doc.root, "paths")) {
		for method, op := range pairs(item) {
			if doc.tail[op] && slices.Contains(methods, method) && !has(op, "responses") {
				return fmt.Errorf("it ends in %s, before its responses, so it is not whole; try again", path)
			}
		}
	}
	return nil
}

// checkDrift returns an error where the differences may come from a text that was cut short.
func checkDrift(published *contract, found []difference) error {
	for _, d := range found {
		if d.cut {
			return fmt.Errorf("it ends where %s may have followed, so it may have been cut short; try again, or give it as JSON", d.where())
		}
	}
	return checkRest(published.doc, referencesOf(published.doc.root))
}

// unusedComponents counts the components that no path uses, and all of them. Publishers
// keep a few; where the paths were cut short there are many.
func unusedComponents(root *yaml.Node) (unused, all int) {
	used := map[component]bool{}
	seen := map[*yaml.Node]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n == nil || seen[n] {
			return
		}
		seen[n] = true
		if c, ok := referred(n.Value); ok && n.Kind == yaml.ScalarNode {
			used[c] = true
			walk(get(root, "components", c.kind, c.name))
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(get(root, "paths"))
	walk(get(root, "webhooks"))
	for kind, of := range pairs(get(root, "components")) {
		if kind == "securitySchemes" { // used by name
			continue
		}
		for name := range pairs(of) {
			if all++; !used[component{kind, name}] {
				unused++
			}
		}
	}
	return unused, all
}
