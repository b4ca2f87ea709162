package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

const (
	vendored = "../../openapi.yml"
	later    = "testdata/later.json" // the shape of the contract dated 2026-09-25, without its words
)

// specsync runs the command in this process.
func specsync(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// cannotTell asserts exit code 2 with one readable line, and nothing that looks like a report.
func cannotTell(t *testing.T, code int, stdout, stderr, says string) {
	t.Helper()
	assert.Equal(t, exitCannotTell, code)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, says)
	assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
}

func content(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(data)
}

// file writes text to a file in a directory of its own.
func file(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	return name
}

// serve answers every request with handler, and returns the server's address.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL + "/openapi.yml"
}

// page is a docs page around a document, as the published one is made.
func page(document string) string {
	return "> ## Index\n> See: the list of pages.\n\n# Create notification\n\n```json\n{\"openapi\": \"no\"}\n```\n\n## OpenAPI\n\n" +
		"````yaml https://example.com/openapi.yml post /notifications\n" + document + "````\n\nMore: `text`.\n"
}

// shortened is the vendored document without most of its errors and all of its samples.
func shortened(document string) string {
	before, rest, _ := strings.Cut(document, "        '403':\n")
	_, rest, _ = strings.Cut(rest, "      security:\n")
	security, rest, _ := strings.Cut(rest, "      x-codeSamples:\n")
	_, components, _ := strings.Cut(rest, "components:\n")
	return before + "      security:\n" + security + "components:\n" + components
}

// inJSON is a YAML document as JSON.
func inJSON(t *testing.T, document string) string {
	t.Helper()
	var value any
	require.NoError(t, yaml.Load([]byte(document), &value))
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

// reflowed is a YAML document with every text wrapped and quoted another way.
func reflowed(t *testing.T, document string) string {
	t.Helper()
	var root yaml.Node
	require.NoError(t, yaml.Load([]byte(document), &root))
	data, err := yaml.Dump(plain(root.Content[0]), yaml.WithLineWidth(40), yaml.WithIndent(4))
	require.NoError(t, err)
	require.NotEqual(t, document, string(data))
	return string(data)
}

// amongOthers is the vendored document as part of a large one, in its own style:
// hundreds of operations before and after it, one of them on its path, and components
// of every kind that are not its own.
func amongOthers(document string) string {
	head, rest, _ := strings.Cut(document, "paths:\n")
	operation, components, _ := strings.Cut(rest, "components:\n  securitySchemes:\n")
	var b strings.Builder
	b.WriteString(head + "x-tagGroups:\n  - name: All\nwebhooks:\n  ping:\n    post:\n      responses: {}\npaths:\n")
	others := func(from, to int) {
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, "  # About things of kind %[1]d.\n  /things-%[1]d/{id}:\n    get:\n      operationId: thing%[1]d\n      description: |-\n        # Notes\n        post: /notifications\n      responses:\n        '200':\n          description: A thing\n          content:\n            application/json:\n              schema:\n                $ref: '#/components/schemas/Thing%[1]d'\n", i)
		}
	}
	others(0, 200)
	b.WriteString(operation)
	b.WriteString("    get:\n      operationId: listNotifications\n      responses:\n        '200':\n          $ref: '#/components/responses/List'\n")
	others(200, 400)
	b.WriteString("components:\n  schemas:\n")
	for i := range 400 {
		fmt.Fprintf(&b, "    Thing%d:\n      type: object\n      properties:\n        next:\n          $ref: '#/components/schemas/Thing%d'\n", i, (i+1)%400)
	}
	b.WriteString("  responses:\n    List:\n      description: A list\n  securitySchemes:\n    oauth:\n      type: http\n      scheme: basic\n" + components)
	return b.String()
}

// laterAmongOthers is the later contract in a large JSON document.
func laterAmongOthers(t *testing.T) string {
	t.Helper()
	var doc map[string]any
	require.NoError(t, json.Unmarshal([]byte(content(t, later)), &doc))
	var others map[string]any
	require.NoError(t, json.Unmarshal([]byte(inJSON(t, amongOthers(content(t, vendored)))), &others))
	paths := others["paths"].(map[string]any)
	maps.Copy(paths["/notifications"].(map[string]any), doc["paths"].(map[string]any)["/notifications"].(map[string]any))
	for kind, of := range doc["components"].(map[string]any) {
		all, ok := others["components"].(map[string]any)[kind].(map[string]any)
		if !ok {
			all = map[string]any{}
			others["components"].(map[string]any)[kind] = all
		}
		maps.Copy(all, of.(map[string]any))
	}
	data, err := json.MarshalIndent(others, "", "\t")
	require.NoError(t, err)
	return string(data)
}
