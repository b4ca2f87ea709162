package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v4"
)

// finish says what a field table cannot.
func (b *builder) finish(made *node, n *yaml.Node, shapeName string) {
	switch shapeName {
	case "parameter":
		b.parameter(made)
	case "server":
		if at := made.get("url"); at != nil {
			made.put("url", &node{value: quoted(serverURL(text(n, "url"))), tail: at.tail})
		}
	case "scheme":
		b.scheme(made, n)
	case "schema":
		b.discriminator(made, n)
		b.cutSchema(made, n)
	case "response":
		if b.tail[n] && !has(n, "description") && b.version < "3.2" {
			b.fail(errors.New("it ends in a response that has no description"))
		}
	}
}

func (b *builder) parameter(made *node) {
	in, name := made.get("in"), made.get("name")
	if in == nil || name == nil || !made.has("schema", "content") {
		b.fail(errors.New("a parameter does not say what it is"))
		return
	}
	if in.is(`"header"`) {
		made.put("name", &node{value: strings.ToLower(name.value), name: bare(name)})
	}
	style := `"simple"`
	if in.is(`"query"`) || in.is(`"cookie"`) {
		style = `"form"`
	}
	explode := "false"
	if is := made.get("style"); is == nil && style == `"form"` || is != nil && is.is(`"form"`) {
		explode = "true"
	}
	leaveOutDefaults(made, map[string]string{"style": style, "explode": explode})
}

// serverURL is a server's address without what says nothing: letter case and default port
// of its host, a slash at its end.
func serverURL(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" && !strings.ContainsAny(address, "{}") {
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
		if port := u.Port(); u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
			u.Host = strings.TrimSuffix(u.Host, ":"+port)
		}
		address = u.String()
	}
	if address = strings.TrimRight(address, "/"); address == "" {
		return "/"
	}
	return address
}

func (b *builder) scheme(made *node, n *yaml.Node) {
	kind := text(n, "type")
	if kind == "" || kind == "http" && text(n, "scheme") == "" || kind == "apiKey" && (text(n, "name") == "" || text(n, "in") == "") ||
		kind == "oauth2" && !has(n, "flows") || kind == "openIdConnect" && text(n, "openIdConnectUrl") == "" {
		b.fail(errors.New("a security scheme does not say what it is"))
		return
	}
	if at := made.get("scheme"); at != nil {
		made.put("scheme", &node{value: strings.ToLower(at.value), tail: at.tail})
	}
	if text(n, "in") == "header" {
		made.put("name", stringNode(strings.ToLower(text(n, "name"))))
	}
}

// flow keeps the names of an OAuth flow's scopes; what is said of each is words.
func (b *builder) flow(made *node, n *yaml.Node) {
	for key, value := range pairs(n) {
		switch {
		case key == "scopes":
			scopes := &node{kind: set, tail: b.tail[value]}
			for _, scope := range keysOf(value) {
				scopes.kids = append(scopes.kids, stringNode(scope))
			}
			made.put(key, scopes)
		case !strings.HasPrefix(key, "x-"):
			made.put(key, b.value(value))
		}
	}
}

// discriminator reads its mapping as what it names. A name that stands for its schema
// by being that schema's is written like the others.
func (b *builder) discriminator(made *node, n *yaml.Node) {
	at := get(n, "discriminator")
	if at == nil || at.Kind != yaml.MappingNode {
		return
	}
	read := &node{kind: object, tail: b.tail[at], written: keysOf(at)}
	mapping := &node{kind: object, tail: b.tail[get(at, "mapping")]}
	mapped := map[*node]bool{}
	for name, to := range pairs(get(at, "mapping")) {
		target := get(b.refs.root, "components", "schemas", to.Value) // a bare name is allowed here
		if target == nil {
			found, err := b.refs.find(to.Value)
			if err != nil && strings.HasPrefix(to.Value, "#") {
				b.fail(err)
				return
			}
			target = found
		}
		if target == nil {
			mapping.put(name, b.value(to))
			continue
		}
		schema := b.object(target, "schema")
		if b.label(schema, to.Value); schema.name == "" {
			schema.name = to.Value
		}
		mapping.put(name, schema)
		mapped[the(schema)] = true
	}
	for _, choices := range []*yaml.Node{get(n, "oneOf"), get(n, "anyOf")} {
		if choices == nil {
			continue
		}
		for _, choice := range choices.Content {
			name, ok := strings.CutPrefix(text(choice, "$ref"), "#/components/schemas/")
			target := get(b.refs.root, "components", "schemas", unescape(name))
			if !ok || target == nil {
				continue
			}
			if schema := b.object(target, "schema"); !mapped[the(schema)] && !mapping.has(unescape(name)) {
				mapping.put(unescape(name), schema)
			}
		}
	}
	for key, value := range pairs(at) {
		switch {
		case key == "mapping" || strings.HasPrefix(key, "x-"):
		case key == "defaultMapping":
			read.put(key, b.unknown(value, read))
		default:
			read.put(key, b.value(value))
		}
	}
	if !mapping.empty() {
		read.put("mapping", mapping)
	}
	made.put("discriminator", read)
}

// cutSchema finds what a schema lacks at the end of a text.
func (b *builder) cutSchema(made *node, n *yaml.Node) {
	if !b.tail[n] {
		return
	}
	if made.has("type") && made.get("type").holds(`"array"`) && !made.has("items", "prefixItems") {
		b.fail(errors.New("it ends in an array that does not say of what"))
	}
	required, properties := made.get("required"), made.get("properties")
	if required == nil || made.has("allOf", "anyOf", "oneOf") {
		return
	}
	for _, name := range required.values() {
		if properties == nil || !has(get(n, "properties"), strings.Trim(name, `"`)) {
			b.fail(fmt.Errorf("it ends before it says what %s is", name))
		}
	}
}
