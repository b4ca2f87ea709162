package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDiffSeesNoDriftInWords(t *testing.T) {
	document := content(t, vendored)
	for name, source := range map[string]string{
		"the vendored file":           document,
		"a docs page":                 page(document),
		"a page with CRLF":            strings.ReplaceAll(page(document), "\n", "\r\n"),
		"an indented fence":           "- item\n\n  ~~~yaml\n  " + strings.TrimSuffix(strings.ReplaceAll(document, "\n", "\n  "), "  ") + "  ~~~\n",
		"two documents on one page":   page(strings.ReplaceAll(document, "/notifications:", "/messages:")) + page(document),
		"JSON":                        inJSON(t, document),
		"reflowed":                    reflowed(t, document),
		"reworded":                    strings.ReplaceAll(document, "The headline text", "The text"),
		"among hundreds":              amongOthers(document),
		"among hundreds, JSON":        inJSON(t, amongOthers(document)),
		"no code samples":             document[:strings.Index(document, "      x-codeSamples:")] + document[strings.Index(document, "components:"):],
		"a page that opens in HTML":   "<Note>New.</Note>\n\n" + page(document),
		"a new extension":             strings.ReplaceAll(document, "      operationId:", "      x-internal: true\n      operationId:"),
		"security said at the top":    strings.ReplaceAll(strings.ReplaceAll(document, "security: []", "security:\n- bearerAuth:\n  - notification:create"), "      security:\n        - bearerAuth:\n            - notification:create\n", ""),
		"a fence among its words":     strings.ReplaceAll(document, "Send a push", "```yaml openapi: 3.1.0``` Send a push"),
		"required in another order":   strings.ReplaceAll(document, "- content\n                    - title", "- title\n                    - content"),
		"a null type in another spot": strings.ReplaceAll(document, "- string\n                        - 'null'", "- 'null'\n                        - string"),
		"an alias":                    aliased(document),
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := specsync(t, "diff", "--spec", vendored, file(t, "source", source))
			assert.Equal(t, exitSame, code, stdout)
			assert.Contains(t, stdout, "nothing changed in meaning")
			assert.Empty(t, stderr)
		})
	}
}

// aliased says a schema once, outside of what is kept, and refers to it as YAML does.
func aliased(document string) string {
	yes := "                  success:\n                    type: boolean\n"
	document = strings.Replace(document, yes, "                  success:\n                    <<: *flag\n", 1)
	return "x-shared:\n  - &flag\n    type: boolean\n" + document
}

func TestDiffReportsDrift(t *testing.T) {
	document := content(t, vendored)
	title := "                    title:\n                      type: string\n"
	with := func(old, replacement string) string {
		t.Helper()
		require.Contains(t, document, old)
		return strings.ReplaceAll(document, old, replacement)
	}
	for name, c := range map[string]struct{ source, says string }{
		"the later contract":         {content(t, later), "new required request property `title`"},
		"among hundreds":             {laterAmongOthers(t), "success response with the status `202`"},
		"on a docs page":             {page(with("'422'", "'429'")), "status `429`"},
		"the operation gone":         {with("/notifications:", "/messages:"), "api path removed"},
		"no operation at all":        {"openapi: 3.1.0\npaths: {}\n", "api path removed"},
		"the method changed":         {with("    post:\n", "    put:\n"), "api path removed"},
		"gone among hundreds":        {strings.ReplaceAll(amongOthers(document), "/notifications:", "/messages:"), "api path removed"},
		"another server":             {with("api.whop.com/api/v1\n    desc", "api.whop.com/api/v2\n    desc"), "https://api.whop.com/api/v2"},
		"another scope":              {with("notification:create\n      x-code", "notification:send\n      x-code"), "notification:send"},
		"no credentials any more":    {with("      security:\n        - bearerAuth:\n            - notification:create\n", ""), "anonymous access"},
		"another scheme":             {with("scheme: bearer", "scheme: basic"), "basic"},
		"a new optional property":    {with(title, "                    sound:\n                      type: string\n"+title), "new optional request property `oneOf[subschema #1"},
		"a property became required": {with("                    - company_id\n", "                    - company_id\n                    - subtitle\n"), "`"},
		"a length limit":             {with(title, title+"                      maxLength: 50\n"), "maxLength"},
		"a pattern":                  {with(title, title+"                      pattern: ^a(?=b)\n"), "pattern"},
		"an enum":                    {with(title, title+"                      enum: [a]\n"), "enum"},
		"a constant":                 {with(title, title+"                      const: a\n"), "const"},
		"a default":                  {with(title, title+"                      default: a\n"), "default"},
		"a format":                   {with(title, title+"                      format: uri\n"), "format"},
		"a deprecation":              {with(title, title+"                      deprecated: true\n"), "deprecated"},
		"read only":                  {with(title, title+"                      readOnly: true\n"), "readOnly"},
		"a keyword nobody knows":     {with(title, title+"                      surprise: 1\n"), "surprise"},
		"an encoding":                {with(title, title+"                      contentEncoding: base64\n"), "contentEncoding"},
		"nothing additional":         {with("                  description: Autogenerated", "                  additionalProperties: false\n                  description: Autogenerated"), "additionalProperties"},
		"a header asked for":         {with("parameters: []", "parameters:\n        - {name: X-App, in: header, required: true, schema: {type: string}}"), "X-App"},
		"a header at the path":       {with("    post:\n", "    parameters:\n      - {name: X-App, in: header, required: true, schema: {type: string}}\n    post:\n"), "X-App"},
		"a header in the answer":     {with("          description: A successful response\n", "          description: A successful response\n          headers: {X-Left: {schema: {type: integer}}}\n"), "X-Left"},
		"credentials narrowed":       {with("      operationId:", "      x-whop-credentials: [app_api_key]\n      operationId:"), "x-whop-credentials"},
		"another version of OpenAPI": {with("openapi: 3.1.0", "openapi: 3.2.0"), "3.2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := specsync(t, "diff", file(t, "source", c.source), "--spec", vendored, "--format", "markdown")
			assert.Equal(t, exitDrift, code, stdout)
			assert.Contains(t, stdout, c.says)
			assert.Empty(t, stderr)
		})
	}
}

func TestDiffPutsBreakingChangesFirst(t *testing.T) {
	_, text, _ := specsync(t, "diff", "--spec", vendored, later)
	assert.Regexp(t, `(?s)\nBreaking:\n.*status .200.*\nOther:\n.*status .202.*\nAll of it, by place:\n`, text)
	_, markdown, _ := specsync(t, "diff", "--spec", vendored, later, "--format", "markdown")
	assert.Regexp(t, "(?s)^## `POST /notifications` changed: `../../openapi.yml`\n.*\n### Breaking\n\n```text\n- .*\n### Other\n\n```text\n- .*<details>.*\n```text\n", markdown)
}

// What oasdiff has no name for, or one that hides what is lost, is reported by its place.
func TestDiffReportsWhatHasNoName(t *testing.T) {
	const schema = "`requestBody.content.application/json.schema"
	shared := "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /notifications:\n    post:\n" +
		"      responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/N'}}}}}\n" +
		"      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/N'}}}}\ncomponents: {schemas: {N: {type: object}}}\n"
	free := withSchema("3.1.0", "{type: object, properties: {a: {type: string}, b: {type: string}}}")
	for name, c := range map[string]struct{ spec, old, new, says string }{
		"credentials": {
			content(t, vendored), "      operationId:", "      x-whop-credentials: [app_api_key]\n      operationId:",
			"Breaking:\n  - `x-whop-credentials` was nothing",
		},
		"another media type":       {free, "application/json", "application/vnd.x+json", "Perhaps breaking:\n  - `requestBody.content.application/json`"},
		"another, and a named one": {free, "requestBody: {content: {application/json", "deprecated: true\n      requestBody: {content: {application/vnd.x+json", "Perhaps breaking:\n  - `requestBody.content.application/json`"},
		"exactly one of two":       {free, "{type: object, prop", "{oneOf: [{required: [a]}, {required: [b]}], type: object, prop", "Breaking:\n  - " + schema + ".oneOf` was nothing"},
		"at least one of two":      {free, "{type: object, prop", "{anyOf: [{required: [a]}, {required: [b]}], type: object, prop", "Breaking:\n  - " + schema + ".anyOf` was nothing"},
		"sent and answered":        {shared, "{type: object}", "{type: object, additionalProperties: false}", "Breaking:\n  - " + schema + ".additionalProperties` was nothing"},
		"a property of the name of a field": {
			withSchema("3.1.0", "{type: object, properties: {a: {type: string}, mapping: {type: object, properties: {x: {type: string}}}}}"),
			"{a: {type: string}", "{a: {type: integer}", "Breaking:\n  - the `a` request property `type` changed",
		},
		"a property that was dropped by its name": {
			withSchema("3.1.0", "{type: object, required: [parameters], properties: {parameters: {type: object}}}"),
			"parameters: {type: object}", "parameters: {type: string}", "Breaking:\n  - the `parameters` request property `type` changed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, c.spec, c.old)
			source := file(t, "source", strings.Replace(c.spec, c.old, c.new, 1))
			code, stdout, stderr := specsync(t, "diff", "--spec", file(t, "openapi.yml", c.spec), source)
			assert.Equal(t, exitDrift, code, stderr)
			assert.Contains(t, stdout, c.says)
		})
	}
}

// A document that is made to be slow, or to be too much, ends with a word.
func TestDiffEnds(t *testing.T) {
	many := func(entry string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, entry, i)
		}
		return b.String()
	}
	var nested strings.Builder
	for i := range 18 {
		fmt.Fprintf(&nested, "    S%d: {type: object, properties: {a: {$ref: '#/components/schemas/S%d'}, b: {$ref: '#/components/schemas/S%d'}}}\n", i, i+1, i+1)
	}
	scoped := strings.Replace(withSchema("3.1.0", "{$ref: '#/components/schemas/S0'}"), "components:\n", "      security: [{k: [a]}]\ncomponents:\n  securitySchemes: {k: {type: http, scheme: bearer}}\n", 1) +
		nested.String() + "    S18: {type: string}\n"
	free := withSchema("3.1.0", "{type: object}")
	for name, c := range map[string]struct {
		spec, source string
		code         int
		says         string
	}{
		"properties": {free, strings.Replace(inJSON(t, withSchema("3.1.0", "{maxLength: 77}")), `"maxLength":77`, `"properties":{`+many(`"p%d":{},`, 400_000)+`"p":{}}`, 1), exitCannotTell, "over 20000 parts"},
		"values":     {free, strings.Replace(inJSON(t, withSchema("3.1.0", "{maxLength: 77}")), `"maxLength":77`, `"default":{`+many(`"p%d":1,`, 400_000)+`"p":1}`, 1), exitCannotTell, "over 20000 parts"},
		"in YAML":    {free, withSchema("3.1.0", "{properties: {"+many("p%d: {}, ", 100_000)+"}}"), exitCannotTell, "over 5000 keys"},
		"merged":     {free, free + "x-a:\n" + many("- &a%d {", 1) + many("p%d: 1, ", 5_000) + "}\n- &b {" + many("q%d: 1, ", 5_000) + "}\nx-b:\n  <<: [*a0, *b]\n", exitSame, "nothing changed"},
		"sentences":  {free, withSchema("3.1.0", "{type: object, description: '"+many("must %d. ", 40_000)+"'}"), exitSame, "now said: must 39999."},
		"nested":     {scoped, strings.Replace(scoped, "S18: {type: string}", "S18: {type: integer}", 1), exitDrift, "was \"string\" and is \"integer\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			code, stdout, stderr := specsync(t, "diff", "--spec", file(t, "openapi.yml", c.spec), file(t, "source", c.source))
			t.Log(time.Since(begun))
			assert.Equal(t, c.code, code, stderr)
			assert.Contains(t, stdout+stderr, c.says)
		})
	}
	t.Run("a pipe that nobody writes to", func(t *testing.T) {
		pipe := filepath.Join(t.TempDir(), "pipe")
		require.NoError(t, syscall.Mkfifo(pipe, 0o600))
		code, stdout, stderr := specsync(t, "diff", "--spec", vendored, "--timeout", "100ms", pipe)
		cannotTell(t, code, stdout, stderr, "not read whole within 100ms")
		writer, err := os.OpenFile(pipe, os.O_RDWR, 0)
		require.NoError(t, err)
		require.NoError(t, writer.Close()) // lets the reader go
	})
}

func TestDiffCannotTell(t *testing.T) {
	document := content(t, vendored)
	inMiddle := strings.Index(document, "        '403':")
	for name, c := range map[string]struct{ source, says string }{
		"empty":                     {"", "it is empty"},
		"blank":                     {" \n\n", "it is empty"},
		"HTML":                      {"<!doctype html>\n<html><body><pre>openapi: 3.1.0</pre></body></html>", "an HTML page"},
		"an error in JSON":          {`{"error": {"message": "not found"}}`, "no field openapi"},
		"text":                      {"Not found", "not an OpenAPI document"},
		"a page without a document": {"# Notes\n\n```yaml\na: b\n```\n", "a page without an OpenAPI document"},
		"JSON cut off":              {inJSON(t, document)[:9000], "unexpected EOF"},
		"JSON and more":             {inJSON(t, document) + "{", "more after"},
		"YAML cut off":              {document[:inMiddle], "may have been cut short"},
		"a page cut off":            {page(document)[:inMiddle], "not whole"},
		"a large document cut off":  {strings.Split(amongOthers(document), "  /things-50/")[0], "may have been cut short"},
		"Swagger 2":                 {"swagger: '2.0'\npaths: {}\n", "Swagger 2"},
		"OpenAPI 4":                 {strings.Replace(document, "3.1.0", "4.0.0", 1), "version 3"},
		"no paths":                  {"openapi: 3.1.0\ninfo: {title: T, version: '1'}\n", "no paths"},
		"a path without a word":     {"openapi: 3.1.0\npaths:\n  /messages:\n", "may have been cut short"},
		"a path by reference":       {strings.Replace(document, "    post:\n", "    $ref: '#/components/pathItems/N'\n    x-post:\n", 1), "pathItems/N\" is not in it"},
		"a list":                    {"- openapi: 3.1.0\n", "no mapping"},
		"a key twice":               {document + "openapi: 3.1.0\n", "openapi"},
		"an alias of itself":        {"openapi: 3.1.0\npaths: &a\n  /notifications: *a\n", "contains itself"},
		"a reference outwards":      {strings.Replace(document, "parameters: []", "parameters: [$ref: other.yml#/p]", 1), "external reference"},
		"a reference to nothing":    {strings.Replace(document, "parameters: []", "parameters: [$ref: '#/components/parameters/P']", 1), "components/parameters"},
		"another file's content":    {content(t, "../../oapi-codegen.yaml"), "no field openapi"},
		"another kind of bytes":     {"\x00\x01\x02\xff", "not an OpenAPI document"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := specsync(t, "diff", "--spec", vendored, file(t, "source", c.source))
			cannotTell(t, code, stdout, stderr, c.says)
		})
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"diff", "a", "b"}, "accepts at most 1 arg"},
		{[]string{"update", "a", "b"}, "accepts at most 1 arg"},
		{[]string{"compare", "a"}, "unknown command"},
		{[]string{"diff", "--format", "xml", vendored}, "neither text nor markdown"},
		{[]string{"diff", "--spec", vendored, "missing.yml"}, "missing.yml"},
		{[]string{"diff", "--spec", "missing.yml", vendored}, "missing.yml"},
		{[]string{"diff", "--spec", ".", vendored}, "directory"},
		{[]string{"diff", "--spec", vendored, "--max-bytes", "100", vendored}, "larger than 100 bytes"},
		{[]string{"diff", "--spec", vendored, "ftp://example.com/openapi.yml"}, "give a file or an http(s) URL"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, stdout, stderr := specsync(t, c.args...)
			cannotTell(t, code, stdout, stderr, c.says)
		})
	}
	code, stdout, _ := specsync(t, "--help")
	assert.Equal(t, exitSame, code)
	assert.Contains(t, stdout, "diff")
}

func TestDiffReadsURLs(t *testing.T) {
	document := content(t, vendored)
	large := amongOthers(document)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/page.md", http.StatusMovedPermanently)
		case "/page.md":
			_, _ = w.Write([]byte(page(document)))
		case "/large":
			_, _ = w.Write([]byte(large))
		default:
			http.ServeFile(w, r, later)
		}
	})
	address = strings.TrimSuffix(address, "/openapi.yml")
	for path, want := range map[string]int{"/moved": exitSame, "/page.md": exitSame, "/large": exitSame, "/later.json": exitDrift} {
		code, stdout, stderr := specsync(t, "diff", "--spec", vendored, address+path)
		assert.Equal(t, want, code, "%s: %s", path, stdout)
		assert.Empty(t, stderr)
	}
}

func TestDiffCannotTellFromURL(t *testing.T) {
	document := content(t, vendored)
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		says    string
	}{
		"404":               {http.NotFound, "404 Not Found"},
		"404 with the spec": {text(http.StatusNotFound, document), "404 Not Found"},
		"500":               {text(http.StatusInternalServerError, "down"), "500 Internal Server Error"},
		"204":               {text(http.StatusNoContent, ""), "204 No Content"},
		"an HTML page":      {text(http.StatusOK, "\n<html><title>Sign in</title></html>"), "an HTML page"},
		"empty":             {text(http.StatusOK, ""), "it is empty"},
		"JSON cut off":      {text(http.StatusOK, inJSON(t, document)[:9000]), "unexpected EOF"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write([]byte(document))
		}, "broke off"},
		"too large": {func(w http.ResponseWriter, _ *http.Request) {
			for range 40 {
				_, _ = w.Write([]byte(strings.Repeat("#", 1<<16)))
			}
		}, "larger than 1000000 bytes"},
		"no headers": {func(_ http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
		}, "not read whole within 2s"},
		"no end": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(document))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "not read whole within 2s"},
		"round and round": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := specsync(t, "diff", "--spec", vendored, "--max-bytes", "1000000", "--timeout", "2s", serve(t, c.handler))
			cannotTell(t, code, stdout, stderr, c.says)
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		code, stdout, stderr := specsync(t, "diff", "--spec", vendored, "http://127.0.0.1:1/openapi.yml")
		cannotTell(t, code, stdout, stderr, "cannot be reached")
	})
}
