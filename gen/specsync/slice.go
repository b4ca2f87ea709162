package main

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	operationPath   = "/notifications"
	operationMethod = "post"
	operationName   = "POST /notifications"
)

// head is what of a document's top is kept beside the operation and its components.
var head = []string{"openapi", "jsonSchemaDialect", "info", "externalDocs", "servers", "security", "tags"}

// methods are the operations a path item may hold.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query", "additionalOperations"}

// slice keeps of a document our operation, everything that it refers to, and the
// document's head, in the order in which they stand. What it keeps is shared with
// the tree that it was given. It answers nil where the operation is not there.
func slice(root *yaml.Node) *yaml.Node {
	if !has(root, "paths", operationPath, operationMethod) {
		return nil
	}
	item := filter(get(root, "paths", operationPath), func(key string, value *yaml.Node) *yaml.Node {
		if key != operationMethod && slices.Contains(methods, key) {
			return nil
		}
		return value
	})
	used := usedComponents(root, item)
	return filter(root, func(key string, value *yaml.Node) *yaml.Node {
		switch {
		case slices.Contains(head, key):
			return value
		case key == "paths":
			return filter(value, func(key string, _ *yaml.Node) *yaml.Node {
				if key == operationPath {
					return item
				}
				return nil
			})
		case key == "components":
			return filter(value, func(kind string, of *yaml.Node) *yaml.Node {
				return filter(of, func(name string, value *yaml.Node) *yaml.Node {
					if used[component{kind, name}] {
						return value
					}
					return nil
				})
			})
		default:
			return nil
		}
	})
}

// component names an entry of a document's components.
type component struct{ kind, name string }

// usedComponents are those that item refers to, directly or through one another,
// and the security schemes of the operation and of the document's default.
func usedComponents(root, item *yaml.Node) map[component]bool {
	used := map[component]bool{}
	seen := map[*yaml.Node]bool{} // a tree whose aliases are followed meets nodes twice
	var walk func(n *yaml.Node)
	use := func(c component) {
		if target := get(root, "components", c.kind, c.name); target != nil && !used[c] {
			used[c] = true
			walk(target)
		}
	}
	walk = func(n *yaml.Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if ref := get(n, "$ref"); ref != nil {
			if c, ok := referred(ref.Value); ok {
				use(c)
			}
		}
		for _, to := range pairs(get(n, "discriminator", "mapping")) {
			c, ok := referred(to.Value)
			if !ok {
				c = component{"schemas", to.Value} // a bare name is allowed here
			}
			use(c)
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(item)
	for _, security := range []*yaml.Node{get(root, "security"), get(item, operationMethod, "security")} {
		if security == nil {
			continue
		}
		for _, requirement := range security.Content {
			for scheme := range pairs(requirement) {
				use(component{"securitySchemes", scheme})
			}
		}
	}
	return used
}

// referred is the component that a $ref names. What a $ref names elsewhere is left for
// the loader to refuse.
func referred(ref string) (component, bool) {
	rest, ok := strings.CutPrefix(ref, "#/components/")
	if !ok {
		return component{}, false
	}
	kind, name, ok := strings.Cut(rest, "/")
	if !ok {
		return component{}, false
	}
	name, _, _ = strings.Cut(name, "/") // a reference into a component needs all of it
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	return component{kind, strings.NewReplacer("~1", "/", "~0", "~").Replace(name)}, true
}
