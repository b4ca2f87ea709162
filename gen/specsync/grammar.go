package main

// shape says how an object of OpenAPI is read: what its fields hold, which of them are for
// readers alone, and what a field that is left out says. A field that is not named here is
// compared as it stands.
type shape struct {
	fields   map[string]part
	words    []string          // for readers, but they may say what is accepted
	labels   []string          // for readers alone
	defaults map[string]string // JSON; [] and {} also stand for what is left empty
}

// part is what a field holds: one object of a shape, or many in a collection.
type part struct {
	shape string // "" for a plain value
	in    collection
}

type collection int

const (
	one collection = iota
	byName
	byHeader // a name without regard to letter case
	byMediaType
	byStatus
	ordered
	unordered
	repeated // unordered, and how often counts
)

var shapes = map[string]shape{
	"operation": {
		fields: map[string]part{
			"requestBody": {"body", one}, "responses": {"response", byStatus}, "callbacks": {"callback", byName},
		},
		words:    []string{"summary", "description"},
		labels:   []string{"tags", "externalDocs"},
		defaults: map[string]string{"deprecated": "false", "callbacks": "{}"},
	},
	"body": {
		fields:   map[string]part{"content": {"media", byMediaType}},
		words:    []string{"description"},
		defaults: map[string]string{"required": "false"},
	},
	"media": {
		fields: map[string]part{
			"schema": {"schema", one}, "itemSchema": {"schema", one},
			"encoding": {"encoding", byName}, "prefixEncoding": {"encoding", ordered}, "itemEncoding": {"encoding", one},
		},
		labels:   []string{"example", "examples"},
		defaults: map[string]string{"encoding": "{}"},
	},
	"encoding": {
		fields:   map[string]part{"headers": {"header", byHeader}},
		defaults: map[string]string{"headers": "{}", "allowReserved": "false"},
	},
	"response": {
		fields:   map[string]part{"headers": {"header", byHeader}, "content": {"media", byMediaType}, "links": {"link", byName}},
		labels:   []string{"description", "summary"},
		defaults: map[string]string{"headers": "{}", "content": "{}", "links": "{}"},
	},
	"header": {
		fields:   map[string]part{"schema": {"schema", one}, "content": {"media", byMediaType}},
		words:    []string{"description"},
		labels:   []string{"example", "examples"},
		defaults: map[string]string{"required": "false", "deprecated": "false", "allowEmptyValue": "false", "style": `"simple"`, "explode": "false"},
	},
	"parameter": {
		fields:   map[string]part{"schema": {"schema", one}, "content": {"media", byMediaType}},
		words:    []string{"description"},
		labels:   []string{"example", "examples"},
		defaults: map[string]string{"required": "false", "deprecated": "false", "allowEmptyValue": "false", "allowReserved": "false"},
	},
	"link": {
		fields:   map[string]part{"server": {"server", one}},
		labels:   []string{"description"},
		defaults: map[string]string{"parameters": "{}"},
	},
	"server": {
		fields: map[string]part{"variables": {"variable", byName}},
		labels: []string{"description", "name"}, defaults: map[string]string{"variables": "{}"},
	},
	"variable": {labels: []string{"description"}},
	"scheme": {
		fields:   map[string]part{"flows": {"flow", byName}},
		labels:   []string{"description"},
		defaults: map[string]string{"deprecated": "false"},
	},
	"schema": {
		fields: map[string]part{
			"properties": {"schema", byName}, "patternProperties": {"schema", byName}, "dependentSchemas": {"schema", byName},
			"items": {"schema", one}, "additionalItems": {"schema", one}, "contains": {"schema", one}, "unevaluatedItems": {"schema", one},
			"additionalProperties": {"schema", one}, "unevaluatedProperties": {"schema", one}, "propertyNames": {"schema", one},
			"not": {"schema", one}, "if": {"schema", one}, "then": {"schema", one}, "else": {"schema", one}, "contentSchema": {"schema", one},
			"allOf": {"schema", unordered}, "anyOf": {"schema", unordered}, "oneOf": {"schema", repeated}, "prefixItems": {"schema", ordered},
			"required": {"", unordered}, "enum": {"", unordered}, "type": {"", unordered},
			"dependentRequired": {"names", byName},
		},
		words: []string{"description"},
		labels: []string{
			"title", "example", "examples", "externalDocs", "$comment",
			"$id", "$anchor", "$dynamicAnchor", "$defs", "definitions", // names, and what is compared where it is used
		},
		defaults: map[string]string{
			"nullable": "false", "readOnly": "false", "writeOnly": "false", "deprecated": "false", "uniqueItems": "false",
			"exclusiveMinimum": "false", "exclusiveMaximum": "false", "minLength": "0", "minItems": "0", "minProperties": "0", "minContains": "1",
			"required": "[]", "properties": "{}", "patternProperties": "{}", "dependentRequired": "{}", "dependentSchemas": "{}",
			"allOf": "[]", "prefixItems": "[]", "items": "{}", "additionalItems": "{}", "propertyNames": "{}", "unevaluatedItems": "{}",
			"unevaluatedProperties": "{}", "additionalProperties": "{}",
		},
	},
}

// meaningful are the extensions that say what is accepted, and of whom.
var meaningful = []string{"x-sunset", "x-stability-level", "x-extensible-enum", "x-whop-credentials"}
