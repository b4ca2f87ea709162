package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxEmitted bounds the nodes written for a contract: references are written in
// place, which can make much out of little.
const maxEmitted = 100_000

// emitter writes a contract's meaning as an OpenAPI document, for oasdiff to read.
type emitter struct {
	schemes map[int]string // by class: a scheme that is only renamed keeps its name
	within  map[*node]bool
	schemas map[string]any
	names   map[*node]string
	used    map[string]any // security schemes
	left    int
}

func newEmitter(schemes map[int]string) *emitter {
	return &emitter{
		schemes: schemes, within: map[*node]bool{}, schemas: map[string]any{}, names: map[*node]string{},
		used: map[string]any{}, left: maxEmitted,
	}
}

var errTooLarge = errors.New("too large to be written out")

// document writes a whole contract.
func (e *emitter) document(meaning *node) (data []byte, err error) {
	spec := map[string]any{
		"openapi": bare(meaning.get("openapi")) + ".0",
		"info":    map[string]any{"title": "", "version": ""},
		"paths":   map[string]any{},
	}
	if op := meaning.get("operation"); op != nil {
		post := map[string]any{}
		for i, key := range op.keys {
			switch value := the(op.kids[i]); key {
			case "servers":
				spec["servers"] = e.value(value)
			case "parameters":
				var all []any
				for _, parameter := range value.kids {
					all = append(all, e.value(parameter))
				}
				post[key] = all
			case "security":
				post[key] = e.security(value)
			default:
				post[key] = e.field(key, value)
			}
		}
		spec["paths"] = map[string]any{operationPath: map[string]any{operationMethod: post}}
	}
	spec["components"] = map[string]any{"securitySchemes": e.used, "schemas": e.schemas}
	if e.left < 0 {
		return nil, errTooLarge
	}
	return json.Marshal(spec)
}

func (e *emitter) security(n *node) []any {
	all := []any{}
	for _, requirement := range n.kids {
		asked := map[string]any{}
		for _, kid := range the(requirement).kids {
			scheme := the(kid).get("scheme")
			if e.schemes[scheme.class] == "" {
				e.schemes[scheme.class] = scheme.name
			}
			name := e.schemes[scheme.class]
			e.used[name] = e.value(scheme)
			scopes := []any{}
			if of := the(kid).get("scopes"); of != nil {
				scopes, _ = e.value(of).([]any)
			}
			asked[name] = scopes
		}
		all = append(all, asked)
	}
	return all
}

func (e *emitter) field(key string, n *node) any {
	switch {
	case key == "type" && n.kind == set && len(n.kids) == 1:
		return e.value(n.kids[0])
	case key == "parameters" && n.kind == object, key == "security" && n.kind == set:
		return nil // of a callback: compared, and not named
	case key == "headers" && n.kind == object:
		headers := map[string]any{}
		for i, kid := range n.kids {
			name := n.keys[i]
			if the(kid).name != "" {
				name = the(kid).name
			}
			headers[name] = e.value(kid)
		}
		return headers
	case slices.Contains([]string{"properties", "patternProperties", "dependentSchemas"}, key) && n.kind == object:
		named := map[string]any{} // whose names are no fields
		for i, kid := range n.kids {
			named[n.keys[i]] = e.value(kid)
		}
		return named
	case key == "mapping" && n.kind == object:
		mapping := map[string]any{}
		for i, kid := range n.kids {
			mapping[n.keys[i]] = e.value(kid)
			if the(kid).kind == object {
				mapping[n.keys[i]] = e.component(the(kid))
			}
		}
		return mapping
	}
	return e.value(n)
}

// component writes a schema among the components, and returns how it is referred to.
func (e *emitter) component(n *node) string {
	name := e.names[n]
	if name == "" {
		if name = n.name; name == "" {
			name = "Schema"
		}
		for _, taken := e.schemas[name]; taken; _, taken = e.schemas[name] {
			name += "_"
		}
		e.names[n] = name
		e.schemas[name] = map[string]any{}
		if !e.within[n] {
			e.schemas[name] = e.value(n)
		}
	}
	return "#/components/schemas/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (e *emitter) value(n *node) any {
	n = the(n)
	if e.left--; e.left < 0 {
		return nil
	}
	switch n.kind {
	case scalar:
		if n.name != "" {
			return n.name
		}
		return json.RawMessage(n.value)
	case object:
		if e.within[n] {
			return map[string]any{"$ref": e.component(n)}
		}
		e.within[n] = true
		fields := map[string]any{}
		for i, key := range n.keys {
			if value := e.field(key, the(n.kids[i])); value != nil {
				fields[key] = value
			}
		}
		delete(e.within, n)
		if n.title != "" {
			fields["title"] = n.title
		}
		if name := e.names[n]; name != "" {
			e.schemas[name] = fields
		}
		return fields
	default:
		all := []any{}
		for _, kid := range n.kids {
			all = append(all, e.value(kid))
		}
		return all
	}
}

// brief is a value for a reader, on one line and not long.
func brief(n *node) string {
	if n == nil {
		return "nothing"
	}
	e := newEmitter(map[int]string{})
	e.left = 1000
	data, err := json.Marshal(e.field("", n))
	if err != nil || e.left < 0 {
		return "much"
	}
	text := []rune(string(data))
	if len(text) > 160 {
		return fmt.Sprintf("%s… (%d characters)", string(text[:150]), len(text))
	}
	return string(text)
}
