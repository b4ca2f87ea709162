package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzFind reads whatever a server may answer. It never panics; what it finds is compared
// with the vendored contract, written and read again without a change of its meaning; and
// nothing is written anywhere.
func FuzzFind(f *testing.F) {
	small := "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /notifications:\n    post:\n      responses:\n        '200': {description: ok}\ncomponents: {}\n"
	for _, seed := range []string{
		small, page(small), "{}", "---\n...\n", "\ufeff%YAML 1.2\n---\n" + small, strings.ReplaceAll(small, "\n", "\r"),
		strings.Replace(small, "ok", "*a", 1), strings.Replace(small, "ok", "&a [*a, *a]", 1), "```yaml\n" + small, "~~~\n" + small + "~~~~~\n",
		strings.Replace(small, "ok", "a\u2028b\u2029c\u0085d", 1), strings.Replace(small, "components", "# \u2028\ncomponents", 1),
		strings.Replace(small, "ok}", "ok, <<: {content: {application/json: {schema: {xml: {name: a}, allOf: [{$ref: '#/paths/~1a/get'}]}}}}}", 1),
		`{"openapi":"3.1.0","paths":{"/notifications":{"post":{"responses":{"200":{"description":" a\n b "}}}}},"components":{}}`,
		`{"openapi":"3.1.0","paths":{"/notifications":{"post":{"x":{"$ref":"#/components/schemas/A"},"responses":{"200":{"description":"\u0000\ud83d"}}}}},"components":{}}`,
		`{"openapi":"3.1.0","info":{"title":"T","version":1},"paths":{"/notifications":{"post":{"requestBody":{"content":{"a":{"schema":{"$ref":"#/components/schemas/A"}}}},"responses":{"default":{}}}}},` +
			`"components":{"schemas":{"A":{"oneOf":[{"$ref":"#/components/schemas/A"},{"type":"null"}],"discriminator":{"propertyName":"k","mapping":{"a":"A"}},"properties":{"a":{"anyOf":[{"$ref":"#/components/schemas/A"},{"const":null}]}}}}}}`,
	} {
		f.Add([]byte(seed))
	}
	var bases []*contract
	for _, name := range []string{vendored, later} {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		base, err := contractIn(data)
		require.NoError(f, err)
		bases = append(bases, base)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		t.Chdir(dir)
		found, err := contractIn(data)
		if err != nil {
			return
		}
		for _, base := range bases {
			if changed, err := changesBetween(base, found); err == nil {
				asText(io.Discard, changed)
				asMarkdown(io.Discard, changed)
			}
		}
		if found.gone() {
			return
		}
		same, err := changesBetween(found, found)
		require.NoError(t, err)
		assert.True(t, same.none())
		if text, err := written(contracts[0], found, "source"); err == nil {
			again, err := contractIn(text)
			require.NoError(t, err)
			changed, err := changesBetween(found, again)
			require.NoError(t, err)
			assert.True(t, changed.none(), changed.places)
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries)
	})
}
