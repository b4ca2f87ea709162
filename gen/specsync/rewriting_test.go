package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rewriting is a document that says what the vendored one says, in another way.
type rewriting struct {
	name string
	old  string // every one of it
	new  string
}

const (
	titleSchema    = "                    title:\n                      type: string\n"
	subtitleSchema = "                    subtitle:\n                      type:\n                        - string\n                        - 'null'\n"
	bodyBranch     = "                - type: object\n                  properties:\n"
	documentStart  = "openapi: 3.1.0\n"
	firstServer    = "  - url: https://api.whop.com/api/v1\n"
)

// keyword is a document in which the title has one keyword more.
func keyword(name, line string) rewriting {
	return rewriting{name, titleSchema, titleSchema + "                      " + line + "\n"}
}

// title is a document in which the title is said by these lines.
func title(name, lines string) rewriting {
	return rewriting{name, titleSchema, "                    title:\n                      " + strings.ReplaceAll(lines, "\n", "\n                      ") + "\n"}
}

func subtitle(name, lines string) rewriting {
	r := title(name, lines)
	return rewriting{name, subtitleSchema, strings.Replace(r.new, " title:", " subtitle:", 1)}
}

var rewritings = []rewriting{
	{"byte order mark", documentStart, "\ufeff" + documentStart},
	{"YAML directive", documentStart, "%YAML 1.2\n---\n" + documentStart},
	{"mark and directive", documentStart, "\ufeff# Made by a tool.\n%YAML 1.2\n---\n" + documentStart},
	{"old Mac line ends", "\n", "\r"},
	{"line separators in words", "The headline text", "The\u2028headline\u2029text\u0085"},
	{"line separators in a quoted text", "summary: Create notification", "summary: \"Create\u2028 notification\u0085\""},
	{"unquoted version of OpenAPI", documentStart, "openapi: 3.1\n"},
	{"another patch version of OpenAPI", documentStart, "openapi: 3.1.1\n"},
	{"number as version", "  version: 1.0.0\n", "  version: 1.0\n"},
	{"date as version", "  version: 1.0.0\n", "  version: 2026-01-31\n"},
	{"unquoted status", "'400':", "400:"},
	{"tag by reference", "  - name: Ads\n    description: Ads\n", "  - $ref: '#/x-tags/Ads'\n"},
	{"tag described elsewhere", "  - name: Ads\n    description: Ads\n", "  - name: Ads\n    description:\n      $ref: ads.md\n"},
	{"external documentation", documentStart, documentStart + "externalDocs: {url: 'https://docs.whop.com'}\n"},
	{"webhooks", documentStart, documentStart + "webhooks: {}\n"},
	{"media type in capitals", "application/json:", "Application/JSON:"},
	{"media type with its only charset", "application/json:", "application/json; charset=UTF-8:"},
	{"slash after the server", firstServer, "  - url: https://api.whop.com/api/v1/\n"},
	{"server in capitals with its port", firstServer, "  - url: HTTPS://API.whop.com:443/api/v1\n"},
	{"empty servers of the operation", "      operationId:", "      servers: []\n      operationId:"},
	{"empty servers of the path", "    post:\n", "    servers: []\n    post:\n"},
	{"no variables of the server", firstServer, firstServer + "    variables: {}\n"},
	{"scheme in capitals", "scheme: bearer\n", "scheme: Bearer\n"},
	{"scheme by another name", "bearerAuth", "token"},
	{"parameters left out", "      parameters: []\n", ""},
	{"not deprecated", "      operationId:", "      deprecated: false\n      callbacks: {}\n      operationId:"},
	{"no headers, no links", "          description: A successful response\n", "          description: Yes\n          headers: {}\n          links: {}\n"},
	keyword("examples", "examples: [a]"),
	keyword("comment", "$comment: a"),
	keyword("documentation of a schema", "externalDocs: {url: 'https://docs.whop.com'}"),
	keyword("no least length", "minLength: 0"),
	keyword("neither read only nor nullable", "readOnly: false\n                      nullable: false"),
	title("type as a list", "type: [string]"),
	title("allOf of one", "allOf:\n  - type: string\n    title: Title"),
	title("allOf of one and words", "allOf:\n  - type: string\n  - example: a"),
	title("anyOf of one", "anyOf:\n  - type: string"),
	title("oneOf of one", "oneOf:\n  - type: string"),
	subtitle("null by anyOf", "anyOf:\n  - type: string\n  - type: 'null'"),
	subtitle("null by oneOf", "oneOf:\n  - type: 'null'\n  - type: string\n    title: Subtitle"),
	subtitle("null as a constant", "anyOf:\n  - type: string\n  - const: null"),
	subtitle("null as the only value", "anyOf:\n  - type: string\n  - enum: [null]"),
	{"free properties spelled out", bodyBranch, strings.Replace(bodyBranch, "properties:", "additionalProperties: true\n                  properties:", 1)},
	{"free properties as a schema", bodyBranch, strings.Replace(bodyBranch, "properties:", "additionalProperties: {}\n                  properties:", 1)},
	{"free properties spelled out twice", bodyBranch, strings.Replace(bodyBranch, "properties:", "unevaluatedProperties: true\n                  properties:", 1)},
	title("types as alternatives", "anyOf:\n  - type: string\n  - type: string"),
	{"required by allOf", "                  required:\n                    - content\n                    - title\n                    - company_id\n", "                  allOf:\n                    - required: [company_id, title]\n                    - required: [content, title]\n"},
}

// of is the document written like this.
func (r rewriting) of(t *testing.T, document string) string {
	t.Helper()
	require.Contains(t, document, r.old)
	return strings.ReplaceAll(document, r.old, r.new)
}

// moved are documents in which a part stands somewhere else and is referred to.
func moved(t *testing.T, document string) map[string]string {
	t.Helper()
	head, rest, _ := strings.Cut(document, "        '400':\n")
	body, tail, _ := strings.Cut(rest, "        '401':\n")
	unauthorized, tail, _ := strings.Cut(tail, "      security:\n")
	with := func(reference string) string {
		return head + "        '400':\n          $ref: '" + reference + "'\n        '401':\n" + unauthorized + "      security:\n" + tail
	}
	other := "paths:\n  /other:\n    get:\n      responses:\n        '200':\n" + body
	shallow := strings.ReplaceAll("\n"+body, "\n    ", "\n")[1:]
	path, components, _ := strings.Cut(document[strings.Index(document, "    post:\n"):], "components:\n")
	flag := "                  success:\n                    type: boolean\n"
	aliased := func(line string) string {
		return "x-shared:\n  - &flag\n    type: boolean\n  - &text\n    type: string\n" + strings.Replace(document, flag, strings.Replace(flag, "type: boolean", line, 1), 1)
	}
	return map[string]string{
		"into another path":          strings.Replace(with("#/paths/~1other/get/responses/200"), "paths:\n", other, 1),
		"into another path, encoded": strings.Replace(with("#/paths/%7E1other/get/responses/200"), "paths:\n", other, 1),
		"into its own path":          head + "        '400':\n" + body + "        '401':\n          $ref: '#/paths/~1notifications/post/responses/400'\n      security:\n" + tail,
		"into the components":        strings.Replace(with("#/components/responses/Bad"), "components:\n", "components:\n  responses:\n    Bad:\n"+shallow, 1),
		"through a reference":        strings.Replace(with("#/components/responses/A"), "components:\n", "components:\n  responses:\n    A:\n      $ref: '#/components/responses/Bad'\n    Bad:\n"+shallow, 1),
		"the whole path": document[:strings.Index(document, "    post:\n")] + "    $ref: '#/components/pathItems/N'\ncomponents:\n  pathItems:\n    N:\n" +
			"      " + strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(path, "    "), "\n"), "\n", "\n  ") + "\n" + components,
		"by a merge key":      aliased("<<: *flag"),
		"by merge keys":       aliased("<<: [*flag, *text]"),
		"by an anchor":        strings.Replace(strings.Replace(document, flag, strings.Replace(flag, "type: boolean", "$ref: '#flag'", 1), 1), "components:\n", "components:\n  schemas:\n    Flag: {$anchor: flag, type: boolean}\n", 1),
		"by allOf and a name": strings.Replace(strings.Replace(document, flag, strings.Replace(flag, "type: boolean", "allOf: [$ref: '#/components/schemas/Flag']", 1), 1), "components:\n", "components:\n  schemas:\n    Flag: {type: boolean}\n", 1),
	}
}

// What is said in another way is no drift; and where something else has changed, update
// takes over a document written like this, so that it reads the same.
func TestRewritingIsNoDrift(t *testing.T) {
	document := shortened(content(t, vendored))
	sources := moved(t, document)
	for _, r := range rewritings {
		sources[r.name] = r.of(t, document)
	}
	base, err := contractIn([]byte(document))
	require.NoError(t, err)
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			published, err := contractIn([]byte(source))
			require.NoError(t, err)
			found, err := changesBetween(base, published)
			require.NoError(t, err)
			assert.True(t, found.none(), found.places)

			text, err := written(contracts[0], published, "source")
			require.NoError(t, err)
			again, err := contractIn(text)
			require.NoError(t, err)
			found, err = changesBetween(base, again)
			require.NoError(t, err)
			assert.True(t, found.none(), found.places)
		})
	}
}

// A schema that holds itself is compared without an end, however it is written.
func TestRewritingOfARecursiveSchema(t *testing.T) {
	tree := func(parent, components string) string {
		return "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /notifications:\n    post:\n      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Node'}}}}\n" +
			"      responses: {'200': {description: ok}}\ncomponents:\n  schemas:\n    Node: {type: object, properties: {name: {type: string}, parent: " + parent + "}}\n" + components
	}
	base := file(t, "openapi.yml", tree("{$ref: '#/components/schemas/Node'}", ""))
	for name, c := range map[string]struct {
		parent, components string
		code               int
	}{
		"by allOf":          {"{allOf: [{$ref: '#/components/schemas/Node'}], description: The one above}", "", exitSame},
		"by another name":   {"{$ref: '#/components/schemas/Other'}", "    Other: {type: object, properties: {name: {type: string}, parent: {$ref: '#/components/schemas/Node'}}}\n", exitSame},
		"something deep in": {"{$ref: '#/components/schemas/Other'}", "    Other: {type: object, properties: {name: {type: integer}, parent: {$ref: '#/components/schemas/Node'}}}\n", exitDrift},
		"null as well":      {"{anyOf: [{$ref: '#/components/schemas/Node'}, {type: 'null'}]}", "", exitDrift},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := specsync(t, "diff", "--spec", base, file(t, "source", tree(c.parent, c.components)))
			assert.Equal(t, c.code, code, stdout+stderr)
		})
	}
}
