package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withSchema is a document whose body has a schema, in YAML's flow style.
func withSchema(version, schema string) string {
	return "openapi: " + version + "\ninfo: {title: T, version: '1'}\npaths:\n  /notifications:\n    post:\n      requestBody: {content: {application/json: {schema: " + schema + "}}}\n" +
		"      responses: {'200': {description: ok}}\ncomponents:\n  schemas:\n    Text: {type: string, maxLength: 9}\n    Base: {type: object, required: [a], properties: {a: {$ref: '#/components/schemas/Text'}}}\n    Closed: {type: object, additionalProperties: false, properties: {a: {type: string}}}\n"
}

func TestSchemasThatSayTheSame(t *testing.T) {
	const base, closed, text = "{$ref: '#/components/schemas/Base'}", "{$ref: '#/components/schemas/Closed'}", "{$ref: '#/components/schemas/Text'}"
	for name, c := range map[string]struct {
		one, other string
		same       bool
	}{
		"a constant, and the only value":            {"{const: a}", "{type: string, enum: [a]}", true},
		"values, and alternatives of constants":     {"{type: string, enum: [a, b]}", "{oneOf: [{const: b, title: B}, {const: a}]}", true},
		"values that fit two of oneOf":              {"{enum: [a, b, c]}", "{oneOf: [{enum: [a, b]}, {enum: [b, c]}]}", false},
		"values that fit two of anyOf":              {"{enum: [a, b, c]}", "{anyOf: [{enum: [a, b]}, {enum: [b, c]}]}", true},
		"values in another order":                   {"{enum: [a, b]}", "{enum: [b, a, b]}", true},
		"values, one of which is null":              {"{type: [string, 'null'], enum: [a, null]}", "{anyOf: [{type: string, enum: [a]}, {type: 'null'}]}", true},
		"values, null among them or not":            {"{type: [string, 'null'], enum: [a, null]}", "{type: string, enum: [a]}", false},
		"a number in another form":                  {"{type: integer, enum: [1]}", "{enum: [1.0]}", true},
		"a number and its text":                     {"{enum: [1]}", "{enum: ['1']}", false},
		"types as alternatives":                     {"{type: [string, integer]}", "{anyOf: [{type: integer}, {type: string}]}", true},
		"types that meet":                           {"{type: [number, integer]}", "{oneOf: [{type: integer}, {type: number}]}", false},
		"an integer is a number":                    {"{type: [number, integer]}", "{type: number}", true},
		"null beside what concerns text":            {"{type: [string, 'null'], maxLength: 9}", "{anyOf: [" + text + ", {type: 'null'}]}", true},
		"null twice in anyOf":                       {"{type: [string, 'null']}", "{anyOf: [{type: [string, 'null']}, {type: 'null'}]}", true},
		"null twice in oneOf":                       {"{type: [string, 'null']}", "{oneOf: [{type: [string, 'null']}, {type: 'null'}]}", false},
		"null beside what concerns null":            {"{type: [string, 'null'], not: {type: 'null'}}", "{anyOf: [{type: string, not: {type: 'null'}}, {type: 'null'}]}", false},
		"parts that name different things":          {"{type: object, required: [a, b], properties: {a: " + text + ", b: {type: string}}}", "{allOf: [" + base + ", {required: [b], properties: {b: {type: string}}}]}", true},
		"parts that name the same":                  {"{type: object, properties: {a: {type: string}}}", "{allOf: [{properties: {a: {type: string}}}, {type: object, properties: {a: {maxLength: 3}}}]}", false},
		"parts in another order, two of the same":   {"{allOf: [{maxLength: 5}, {maxLength: 9}]}", "{allOf: [{maxLength: 9}, {maxLength: 5}]}", true},
		"parts in another order, one of them named": {"{allOf: [" + base + ", {properties: {a: {maxLength: 3}}}]}", "{allOf: [{properties: {a: {maxLength: 3}}}, " + base + "]}", true},
		"what a part sees beside it":                {"{properties: {b: {}}, unevaluatedProperties: false, allOf: [{properties: {a: {}}}]}", "{allOf: [{properties: {b: {}}, unevaluatedProperties: false}, {properties: {a: {}}}]}", false},
		"what a part sees as another alternative":   {"{anyOf: [{properties: {a: {}}}, {properties: {c: {}}}], unevaluatedProperties: false, properties: {b: {}}}", "{anyOf: [{properties: {a: {}}}, {properties: {c: {}}}], allOf: [{unevaluatedProperties: false, properties: {b: {}}}]}", false},
		"a part that is closed":                     {"{type: object, additionalProperties: false, properties: {a: {type: string}, b: {type: string}}}", "{allOf: [" + closed + ", {properties: {b: {type: string}}}]}", false},
		"parts of parts":                            {base, "{allOf: [{allOf: [{allOf: [" + base + "]}, {}]}]}", true},
		"any property, and one of which no more":    {"{properties: {a: true}}", "{properties: {a: {description: Any}}}", true},
		"a property, and any property":              {"{properties: {a: {}}}", "{}", false},
		"no property at all":                        {"{additionalProperties: {not: {}}}", "{additionalProperties: false}", true},
		"free, and free as seen from outside":       {"{unevaluatedProperties: false, allOf: [{additionalProperties: true}]}", "{unevaluatedProperties: false, allOf: [{}]}", false},
		"a condition without an outcome":            {"{type: object, if: {required: [a]}}", "{type: object, then: {required: [b]}}", false},
		"an outcome without a condition":            {"{type: object}", "{type: object, then: {required: [b]}, else: {required: [c]}}", true},
		"alternatives in another order":             {"{oneOf: [" + base + ", " + text + "]}", "{oneOf: [{type: string, maxLength: 9}, " + base + "]}", true},
		"an alternative twice":                      {"{oneOf: [" + base + ", " + text + "]}", "{oneOf: [" + base + ", " + text + ", " + text + "]}", false},
		"items in another order":                    {"{prefixItems: [{type: string}, {type: integer}]}", "{prefixItems: [{type: integer}, {type: string}]}", false},
		"beside a reference":                        {"{type: string, maxLength: 9, minLength: 2}", "{$ref: '#/components/schemas/Text', minLength: 2}", true},
		"more beside a reference":                   {text, "{$ref: '#/components/schemas/Text', maxLength: 5}", false},
		"named kinds and their mapping":             {"{oneOf: [" + base + ", " + text + "], discriminator: {propertyName: k}}", "{oneOf: [" + base + ", " + text + "], discriminator: {propertyName: k, mapping: {Base: Base, Text: '#/components/schemas/Text'}}}", true},
		"kinds of other names":                      {"{oneOf: [" + base + "], discriminator: {propertyName: k}}", "{oneOf: [" + base + "], discriminator: {propertyName: k, mapping: {base: Base}}}", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var read [2]*contract
			for i, schema := range []string{c.one, c.other} {
				var err error
				read[i], err = contractIn([]byte(withSchema("3.1.0", schema)))
				require.NoError(t, err)
			}
			found, err := differencesBetween(read[0], read[1])
			require.NoError(t, err)
			assert.Equal(t, c.same, len(found) == 0, found)
		})
	}
}

// Parts of parts, each of which holds all of the next level, are gone through once and not once
// for each way to them, of which there are 2^60.
func TestNestedPartsEnd(t *testing.T) {
	const levels = 60
	for _, says := range []string{"required: [%s]", "properties: {%s: {type: string}}", "enum: [%s]", "not: {required: [%s]}", "description: %s"} {
		for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
			t.Run(says+" "+keyword, func(t *testing.T) {
				t.Parallel()
				var document strings.Builder
				document.WriteString(withSchema("3.1.0", "{$ref: '#/components/schemas/A0'}"))
				for i := range levels {
					for _, name := range []string{"A", "B"} {
						of := ""
						if i+1 < levels {
							of = fmt.Sprintf(", %s: [{$ref: '#/components/schemas/A%d'}, {$ref: '#/components/schemas/B%d'}]", keyword, i+1, i+1)
						}
						document.WriteString(fmt.Sprintf("    %s%d: {"+says+"%s}\n", name, i, fmt.Sprint(name, i), of))
					}
				}
				one, err := contractIn([]byte(document.String()))
				require.NoError(t, err)
				other, err := contractIn([]byte(strings.Replace(document.String(), fmt.Sprintf("B%d: {", levels-1), fmt.Sprintf("B%d: {minLength: 3, ", levels-1), 1)))
				require.NoError(t, err)
				same, err := differencesBetween(one, one)
				require.NoError(t, err)
				require.Empty(t, same)
				found, err := differencesBetween(one, other)
				require.NoError(t, err)
				require.NotEmpty(t, found, "the last level has changed")
			})
		}
	}
}

// In OpenAPI 3.0 null is no type, and nothing counts beside a reference.
func TestSchemasOfTheOlderVersion(t *testing.T) {
	for name, c := range map[string]struct {
		one, other string
		same       bool
	}{
		"not nullable":          {"{type: string}", "{type: string, nullable: false}", true},
		"nullable":              {"{type: string}", "{type: string, nullable: true}", false},
		"nullable as a type":    {"{type: [string, 'null']}", "{type: string, nullable: true}", true},
		"beside a reference":    {"{$ref: '#/components/schemas/Text'}", "{$ref: '#/components/schemas/Text', maxLength: 5}", true},
		"no longer exclusively": {"{type: number, minimum: 1, exclusiveMinimum: true}", "{type: number, minimum: 1}", false},
	} {
		t.Run(name, func(t *testing.T) {
			one, err := contractIn([]byte(withSchema("3.0.3", c.one)))
			require.NoError(t, err)
			other, err := contractIn([]byte(withSchema("3.0.3", c.other)))
			require.NoError(t, err)
			found, err := differencesBetween(one, other)
			require.NoError(t, err)
			assert.Equal(t, c.same, len(found) == 0, found)
		})
	}
}
