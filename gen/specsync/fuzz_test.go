package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzFind reads whatever a server may answer. It never panics; what it finds reads
// the same when it is read again; and nothing is written anywhere.
func FuzzFind(f *testing.F) {
	small := "openapi: 3.1.0\npaths:\n  /notifications:\n    post:\n      responses:\n        '200': {description: ok}\ncomponents: {}\n"
	for _, seed := range []string{
		small, page(small), "{}", "---\n...\n",
		strings.Replace(small, "ok", "*a", 1), strings.Replace(small, "ok", "&a [*a, *a]", 1), "```yaml\n" + small, "~~~\n" + small + "~~~~~\n",
		`{"openapi":"3.1.0","paths":{"/notifications":{"post":{"responses":{"200":{"description":" a\n b "}}}}},"components":{}}`,
		`{"openapi":"3.1.0","paths":{"/notifications":{"post":{"x":{"$ref":"#/components/schemas/A"},"responses":{"200":{"description":"\u0000\ud83d"}}}}},"components":{}}`,
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		t.Chdir(dir)
		found, err := contractIn(data)
		if err == nil && !found.gone() {
			_, err := changesBetween(found, found)
			require.NoError(t, err)
			if text, err := written(contracts[0], found, "source"); err == nil {
				again, err := contractIn(text)
				require.NoError(t, err)
				changed, err := changesBetween(found, again)
				require.NoError(t, err)
				assert.True(t, changed.none(), changed.places)
			}
		}
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Empty(t, entries)
	})
}
