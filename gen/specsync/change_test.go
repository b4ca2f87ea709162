package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Changes that are small to see and large in meaning: each is drift, under a name or at
// its place.
func TestChangeIsNamed(t *testing.T) {
	branch := func(name, line string) rewriting {
		return rewriting{name, bodyBranch, strings.Replace(bodyBranch, "properties:", line+"\n                  properties:", 1)}
	}
	const second = "    description: Production Whop API\n"
	for _, c := range []struct {
		rewriting
		says string
	}{
		{branch("no other properties", "additionalProperties: false"), "additionalProperties` was nothing and is false: it no longer accepts properties that it does not name"},
		{branch("no unevaluated properties", "unevaluatedProperties: false"), "unevaluatedProperties` was nothing and is false: it no longer accepts"},
		{branch("other properties of a type", "additionalProperties: {type: string}"), "no longer free"},
		{branch("something refused", "not: {required: [sound]}"), "it refuses what it accepted"},
		{branch("one property needs another", "dependentRequired: {subtitle: [icon_user_id]}"), "dependentRequired was added"},
		{branch("a condition", "if: {required: [subtitle]}\n                  then: {required: [icon_user_id]}"), "if"},
		{keyword("no value at all", "enum: []"), "enum` was nothing and is []: it accepts these values alone"},
		{keyword("null and no other", "const: null"), "enum"},
		{keyword("null by default", "default: null"), "default"},
		{keyword("false by default", "default: false"), "default"},
		{keyword("an integer that no float holds", "maximum: 9007199254740993"), "9007199254740993"},
		{keyword("how XML has it", "xml: {name: t}"), "xml"},
		{keyword("a content of its own", "contentMediaType: application/json\n                      contentSchema: {type: object}"), "content"},
		{title("any type", "x-type: gone"), "was widened from `string` to `any`"},
		{rewriting{"another server first", second, "    variables: {}\n  - url: https://eu.whop.com/api/v1\n"}, "servers[+]"},
		{rewriting{"no server", "servers:\n" + firstServer + second, ""}, `is "/"`},
		{rewriting{"a server of the operation", "      operationId:", "      servers: [{url: 'https://eu.whop.com'}]\n      operationId:"}, "https://eu.whop.com"},
		{rewriting{"credentials are optional", "      security:\n", "      security:\n        - {}\n"}, "security"},
		{rewriting{"any success", "'200':", "2XX:"}, "removed the success response with the status `200`"},
		{rewriting{"another dialect", documentStart, "jsonSchemaDialect: https://example.com/dialect\n" + documentStart}, "dialect"},
		{rewriting{"a body that is left out", "        required: true\n", ""}, "request body"},
		{rewriting{"one of several fits more than once", "              oneOf:\n", "              anyOf:\n"}, "anyOf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			source := c.of(t, content(t, vendored))
			for _, text := range []string{source, inJSON(t, source)} {
				code, stdout, stderr := specsync(t, "diff", "--spec", vendored, file(t, "source", text))
				require.Equal(t, exitDrift, code, stdout+stderr)
				assert.Contains(t, stdout, c.says)
			}
		})
	}
}

// From one large integer to the next: no float tells them apart.
func TestChangeOfLargeNumber(t *testing.T) {
	limit := func(number string) string { return keyword("", "maximum: "+number).of(t, content(t, vendored)) }
	spec := file(t, "openapi.yml", limit("9007199254740992"))
	for number, want := range map[string]int{"9007199254740992.0": exitSame, "9007199254740993": exitDrift, "123456789012345678901234567890": exitDrift} {
		for _, text := range []string{limit(number), strings.ReplaceAll(inJSON(t, limit("77")), ":77", ":"+number)} {
			code, stdout, stderr := specsync(t, "diff", "--spec", spec, file(t, "source", text))
			assert.Equal(t, want, code, "%s\n%s", number, stdout+stderr)
		}
	}
}

// What the operation refers to counts, by whatever keyword it does.
func TestChangeBehindAReference(t *testing.T) {
	document := func(schema, cat string) string {
		return "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /notifications:\n    post:\n      requestBody: {content: {application/json: {schema: " + schema + "}}}\n" +
			"      responses: {'200': {description: ok}}\ncomponents:\n  schemas:\n    Pet: {type: object}\n    Cat: {$anchor: cat, $dynamicAnchor: cat, $id: 'https://whop.com/cat', type: object, properties: {kind: {type: string}}" + cat + "}\n"
	}
	for name, schema := range map[string]string{
		"discriminator": "{type: object, discriminator: {propertyName: kind, mapping: {cat: '#/components/schemas/Cat'}}}",
		"by a name":     "{type: object, discriminator: {propertyName: kind, mapping: {cat: Cat}}}",
		"anchor":        "{$ref: '#cat'}",
		"identifier":    "{$ref: 'https://whop.com/cat'}",
		"dynamic":       "{$dynamicRef: '#cat'}",
		"unheard of":    "{surprise: {of: [{$ref: '#/components/schemas/Cat'}]}}",
		"by its place":  "{surprise: '#/components/schemas/Cat'}",
		"beside words":  "{$ref: '#/components/schemas/Cat', description: A cat}",
		"beside more":   "{$ref: '#/components/schemas/Cat', maxProperties: 2}",
	} {
		t.Run(name, func(t *testing.T) {
			spec := file(t, "openapi.yml", document(schema, ""))
			code, stdout, stderr := specsync(t, "diff", "--spec", spec, file(t, "source", document(schema, "")))
			require.Equal(t, exitSame, code, stdout+stderr)
			code, stdout, stderr = specsync(t, "diff", "--spec", spec, file(t, "source", document(schema, ", required: [kind]")))
			assert.Equal(t, exitDrift, code, stdout+stderr)
			assert.Contains(t, stdout, "required")
			code, stdout, stderr = specsync(t, "diff", "--spec", spec, file(t, "source", document(schema, ", description: A cat")))
			assert.Equal(t, exitSame, code, stdout+stderr)
		})
	}
}

// A key that is there twice says two things.
func TestChangeCannotBeToldOfAKeyThereTwice(t *testing.T) {
	text := inJSON(t, content(t, vendored))
	for old, new := range map[string]string{
		`"openapi":"3.1.0"`:        `"openapi":"3.1.0","openapi":"3.1.0"`,
		`"success":{`:              `"success":{"type":"string"},"success":{`,
		`"company_id":{`:           `"comp\u0061ny_id":{},"company_id":{`,
		`"application/json":{`:     `"application/json":{"schema":{}},"Application/JSON":{`,
		`"securitySchemes":{`:      `"securitySchemes":{"bearerAuth":{"type":"http","scheme":"basic"},`,
		`"operationId":`:           `"operationId":"a","operationId":`,
		`"summary":"Create notif`:  `"summary":"a","summary":"Create notif`,
		`"description":"A company`: `"description":"","description":"A company`,
	} {
		require.Contains(t, text, old)
		code, stdout, stderr := specsync(t, "diff", "--spec", vendored, file(t, "source", strings.ReplaceAll(text, old, new)))
		cannotTell(t, code, stdout, stderr, "twice")
	}
}

// What a description alone says is for the reader.
func TestChangeOfWordsIsListed(t *testing.T) {
	current := content(t, later)
	with := func(words string) string {
		return strings.Replace(current, `"account_id": {`, `"account_id": {"description": "An account. `+words+`",`, 1)
	}
	spec := file(t, "openapi.yml", with("Exactly one of experience_id and account_id is required."))
	for name, c := range map[string]struct {
		words string
		says  []string
	}{
		"reflowed":     {`Exactly  one of\nexperience_id and account_id is required.`, nil},
		"reworded":     {"At most one of experience_id and account_id.", []string{"no longer said: Exactly one of experience_id and account_id is required.", "now said: At most one of experience_id and account_id."}},
		"no longer":    {"", []string{"no longer said: Exactly one of"}},
		"mere words":   {"Exactly one of experience_id and account_id is required. See the guide.", nil},
		"from outside": {`Exactly one of experience_id and account_id is required. You must\n::error::obey\u001b[31m.`, []string{`now said: You must ::error::obey\u001b[31m.`}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := specsync(t, "diff", "--spec", spec, file(t, "source", with(c.words)))
			require.Equal(t, exitSame, code, stderr)
			assert.Equal(t, c.says != nil, strings.Contains(stdout, "Words that changed"), stdout)
			for _, says := range c.says {
				assert.Contains(t, stdout, says)
			}
		})
	}
}
