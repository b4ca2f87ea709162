package main

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// checkComplete finds what is missing where a document breaks off and still reads as YAML.
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
