package main

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	operationPath   = "/notifications"
	operationMethod = "post"
	operationName   = "POST /notifications"
)

// methods are the operations that a path item may hold.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query", "additionalOperations"}

// level is a mapping whose settings may apply to everything below it.
type level struct {
	keys []string
	tail bool
}

func (b *builder) level(n *yaml.Node) level { return level{keysOf(n), b.tail[n]} }

// call is all that a call to an operation depends on. Parameters, servers and security may
// stand at the operation or above it, and are read from there.
func (b *builder) call(root, item *yaml.Node, method string) *node {
	op := get(item, method)
	made := b.object(op, "operation")
	if made.kind != object {
		return made
	}
	made.put("parameters", b.parameters(op, item))
	made.put("servers", b.servers(op, item, root))
	made.put("security", b.security(op, root))
	return made
}

// item reads the path item of a callback.
func (b *builder) item(made *node, n *yaml.Node) {
	for key := range pairs(n) {
		if slices.Contains(methods, key) {
			made.put(key, b.call(b.refs.root, n, key))
		}
	}
}

// parameters are those of the operation, and those of its path that it does not replace.
func (b *builder) parameters(levels ...*yaml.Node) *node {
	made := &node{kind: object}
	for _, at := range levels {
		list := get(at, "parameters")
		if list == nil {
			continue
		}
		made.tail = made.tail || b.tail[list]
		for _, one := range list.Content {
			parameter := the(b.part(one, part{"parameter", 0}, "-"))
			in, name := parameter.get("in"), parameter.get("name")
			if in == nil || name == nil {
				continue
			}
			if key := strings.Trim(in.value, `"`) + " " + strings.Trim(name.value, `"`); !made.has(key) {
				made.put(key, parameter)
				made.written = append(made.written, key)
			}
		}
	}
	return made
}

// servers are those of the lowest level that names any; without one, the document's own host.
func (b *builder) servers(levels ...*yaml.Node) *node {
	for _, at := range levels {
		if servers := get(at, "servers"); servers != nil && (len(servers.Content) > 0 || b.tail[servers]) {
			return b.part(servers, part{"server", ordered}, "servers")
		}
	}
	return &node{kind: list, kids: []*node{{kind: object, keys: []string{"url"}, kids: []*node{stringNode("/")}}}}
}

// security are the credentials that the operation accepts: one of them is enough. Empty
// where it asks for none.
func (b *builder) security(levels ...*yaml.Node) *node {
	made := &node{kind: set}
	for _, at := range levels {
		security := get(at, "security")
		if security == nil {
			continue
		}
		if isNull(security) && b.tail[security] {
			return b.part(security, part{"", unordered}, "security")
		}
		made.tail = b.tail[security]
		asked := false
		for _, requirement := range security.Content {
			made.kids = append(made.kids, b.requirement(requirement))
			asked = asked || len(requirement.Content) > 0
		}
		if !asked {
			made.kids = nil
		}
		break
	}
	return made
}

// requirement names schemes that are needed together, by what they are and not by their names.
func (b *builder) requirement(n *yaml.Node) *node {
	made := &node{kind: set, tail: b.tail[n]}
	for name, scopes := range pairs(n) {
		target := get(b.refs.root, "components", "securitySchemes", name)
		if target == nil {
			found, err := b.refs.find(name) // from 3.2 on
			if err != nil {
				return b.fail(missingScheme(name))
			}
			target = found
		}
		scheme := b.object(target, "scheme")
		if the(scheme).name == "" {
			the(scheme).name = name
		}
		one := &node{kind: object, tail: b.tail[scopes]}
		one.put("scheme", scheme)
		if len(scopes.Content) > 0 {
			one.put("scopes", b.part(scopes, part{"", unordered}, "scopes"))
		}
		made.kids = append(made.kids, one)
	}
	return made
}
