package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drifted is a vendored file that every published source below differs from.
func drifted(t *testing.T) string {
	t.Helper()
	return file(t, "openapi.yml", strings.Replace(content(t, vendored), "'422'", "'429'", 1))
}

// alone asserts that nothing but the file itself is in its directory.
func alone(t *testing.T, name string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, filepath.Base(name), entries[0].Name())
}

// Whatever source the contract is read from, the file equals the published one byte for byte.
func TestUpdateKeepsTheTextStyle(t *testing.T) {
	document := content(t, vendored)
	for name, source := range map[string]string{
		"the file":            document,
		"a docs page":         page(document),
		"a page with CRLF":    strings.ReplaceAll(page(document), "\n", "\r\n"),
		"among hundreds":      amongOthers(document),
		"others on its path":  strings.Replace(document, "    post:\n", "    # To be read by others.\n    get:\n      responses: {}\n    post:\n", 1),
		"unused components":   strings.Replace(document, "components:\n", "components:\n  schemas:\n    A:\n      type: string\n", 1),
		"components in front": "components:\n" + strings.Split(document, "components:\n")[1] + strings.Split(document, "components:\n")[0],
	} {
		t.Run(name, func(t *testing.T) {
			spec := drifted(t)
			require.NoError(t, os.Chmod(spec, 0o640))
			code, stdout, stderr := specsync(t, "update", "--spec", spec, file(t, "source", source))
			require.Equal(t, exitSame, code, stderr)
			assert.Contains(t, stdout, "make generate")
			if name == "components in front" {
				assert.Equal(t, source, content(t, spec), "the document's order stays")
			} else {
				assert.Equal(t, document, content(t, spec))
			}
			info, err := os.Stat(spec)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o640), info.Mode())
			alone(t, spec)
		})
	}
}

func TestUpdateChangesNothingWithoutDrift(t *testing.T) {
	document := content(t, vendored)
	for name, source := range map[string]string{
		"reflowed":       reflowed(t, document),
		"reworded":       strings.ReplaceAll(document, "The headline text", "The text"),
		"JSON":           inJSON(t, document),
		"among hundreds": amongOthers(document),
	} {
		t.Run(name, func(t *testing.T) {
			spec := file(t, "openapi.yml", document)
			before, err := os.Stat(spec)
			require.NoError(t, err)
			code, stdout, _ := specsync(t, "update", "--spec", spec, file(t, "source", source))
			assert.Equal(t, exitSame, code)
			assert.Contains(t, stdout, "nothing changed in meaning")
			assert.Equal(t, document, content(t, spec))
			after, err := os.Stat(spec)
			require.NoError(t, err)
			assert.True(t, os.SameFile(before, after), "it is not even written again")
			assert.Equal(t, before.ModTime(), after.ModTime())
		})
	}
}

// The operation comes with what it refers to, through other components too, and
// with nothing else.
func TestUpdateTakesWhatTheOperationRefersTo(t *testing.T) {
	spec := drifted(t)
	code, _, stderr := specsync(t, "update", "--spec", spec, file(t, "source", laterAmongOthers(t)))
	require.Equal(t, exitSame, code, stderr)
	doc, err := parse([]byte(content(t, spec)))
	require.NoError(t, err)
	names := func(at ...string) (all []string) {
		for name := range pairs(get(doc.root, at...)) {
			all = append(all, name)
		}
		return all
	}
	assert.ElementsMatch(t, []string{"components", "info", "openapi", "paths", "security", "servers", "tags"}, names())
	assert.Equal(t, []string{"/notifications"}, names("paths"))
	assert.ElementsMatch(t, []string{"parameters", "post", "x-whop-surface"}, names("paths", "/notifications"))
	assert.ElementsMatch(t, []string{"ApiVersionDate", "IdempotencyKey"}, names("components", "parameters"))
	assert.ElementsMatch(t, []string{"Conflict", "Forbidden", "InvalidParameters", "Unauthorized"}, names("components", "responses"))
	assert.Equal(t, []string{"V1ErrorResponse"}, names("components", "schemas"))
	assert.Equal(t, []string{"bearerAuth"}, names("components", "securitySchemes"))

	code, stdout, _ := specsync(t, "diff", "--spec", spec, later)
	assert.Equal(t, exitSame, code, stdout)
}

// Every way by which a document names a component is followed.
func TestUpdateFollowsEveryReference(t *testing.T) {
	source := `openapi: 3.1.0
info: {title: T, version: "1"}
security:
  - key: []
paths:
  /notifications:
    post:
      operationId: send
      requestBody: {$ref: "#/components/requestBodies/Body"}
      callbacks:
        done: {$ref: "#/components/callbacks/Done"}
      responses:
        "200":
          description: yes
          headers: {Left: {$ref: "#/components/headers/Left"}}
          links: {next: {$ref: "#/components/links/Next"}}
components:
  requestBodies:
    Body: {content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
    Other: {content: {}}
  callbacks:
    Done: {"{$request.body#/url}": {post: {security: [{own: []}], responses: {"200": {description: ok}}}}}
  headers:
    Left: {schema: {$ref: "#/components/schemas/a~1b/properties/c"}}
  links:
    Next: {operationId: send}
  schemas:
    Pet:
      oneOf: [{$ref: "#/components/schemas/Cat"}]
      discriminator: {propertyName: kind, mapping: {cat: "#/components/schemas/Cat", dog: Dog}}
    Cat: {type: object, properties: {self: {$ref: "#/components/schemas/Cat"}, kind: {type: string}}}
    Dog: {type: object}
    a/b: {type: object, properties: {c: {type: integer}}}
    Unused: {$ref: "#/components/schemas/Dog"}
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    own: {type: http, scheme: basic}
    other: {type: http, scheme: bearer}
`
	spec := drifted(t)
	code, _, stderr := specsync(t, "update", "--spec", spec, file(t, "source", source))
	require.Equal(t, exitSame, code, stderr)
	want := source
	for _, line := range []string{"    Other: {content: {}}\n", "    Unused: {$ref: \"#/components/schemas/Dog\"}\n", "    other: {type: http, scheme: bearer}\n"} {
		want = strings.Replace(want, line, "", 1)
	}
	assert.Equal(t, want, content(t, spec))
}

// A part that cannot be cut out of the source's text is rewritten, in the same order.
func TestUpdateWritesAnewWhatItCannotCut(t *testing.T) {
	document := content(t, vendored)
	ordered := `{"openapi":"3.1.0","info":{"title":"T \ud83d\udd14","version":"1"},"paths":{"/other":{},"/notifications":{"post":{"responses":{"200":{"description":"two\nlines"},"101":{"description":"null"}},"operationId":"a"}}},"components":{}}`
	for name, c := range map[string]struct{ source, want string }{
		"JSON":               {ordered, "openapi: 3.1.0\ninfo:\n  title: \"T \\U0001F514\"\n  version: '1'\npaths:\n  /notifications:\n    post:\n      responses:\n        '200':\n          description: |-\n            two\n            lines\n        '101':\n          description: 'null'\n      operationId: a\n"},
		"YAML in flow style": {strings.NewReplacer(`{"openapi":`, `{openapi: `, `\ud83d\udd14`, "").Replace(ordered), "openapi: 3.1.0\ninfo:\n"}, // no JSON, though it starts like it
		"an alias":           {aliased(document), "                  success:\n"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := drifted(t)
			source := file(t, "source", c.source)
			code, _, stderr := specsync(t, "update", "--spec", spec, source)
			require.Equal(t, exitSame, code, stderr)
			if name == "JSON" {
				assert.Equal(t, c.want, content(t, spec))
			}
			assert.Contains(t, content(t, spec), c.want)
			code, stdout, _ := specsync(t, "diff", "--spec", spec, source)
			assert.Equal(t, exitSame, code, stdout)
		})
	}
}

func TestUpdateLeavesTheFileAlone(t *testing.T) {
	document := content(t, vendored)
	for name, c := range map[string]struct{ source, says string }{
		"empty":              {"", "it is empty"},
		"HTML":               {"<html></html>", "an HTML page"},
		"cut off":            {document[:len(document)/2], "whole"},
		"the operation gone": {strings.ReplaceAll(document, "/notifications:", "/messages:"), "is as it was"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := drifted(t)
			before := content(t, spec)
			code, _, stderr := specsync(t, "update", "--spec", spec, file(t, "source", c.source))
			assert.Equal(t, exitCannotTell, code)
			assert.Contains(t, stderr, c.says)
			assert.Equal(t, before, content(t, spec))
			alone(t, spec)
		})
	}
}

func TestUpdateCannotWrite(t *testing.T) {
	spec := drifted(t)
	before := content(t, spec)
	t.Run("no room for a temporary file", func(t *testing.T) {
		err := replace(t.Context(), filepath.Join(filepath.Dir(spec), "missing", "openapi.yml"), []byte("new"))
		require.ErrorContains(t, err, "is as it was")
	})
	t.Run("interrupted before the rename", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, replace(ctx, spec, []byte("new")), context.Canceled)
	})
	assert.Equal(t, before, content(t, spec))
	alone(t, spec)
}

func TestUpdateThroughALink(t *testing.T) {
	spec := drifted(t)
	link := filepath.Join(t.TempDir(), "link.yml")
	require.NoError(t, os.Symlink(spec, link))
	code, _, stderr := specsync(t, "update", "--spec", link, vendored)
	require.Equal(t, exitSame, code, stderr)
	assert.Equal(t, content(t, vendored), content(t, spec))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSymlink, info.Mode().Type())
}

// Interrupted while it waits for the source, it ends at once and has written nothing.
func TestUpdateInterrupted(t *testing.T) {
	spec := drifted(t)
	before := content(t, spec)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	})
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"update", "--spec", spec, address}, &stdout, &stderr)
	cannotTell(t, code, stdout.String(), stderr.String(), "interrupted")
	assert.Equal(t, before, content(t, spec))
	alone(t, spec)
}
