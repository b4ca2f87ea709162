package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// layouts are documents around one operation, as publishers order them: what stands first
// differs, and so does what follows the operation when the text breaks off.
var layouts = map[string]struct {
	keys       []string
	alphabetic bool // at every depth
	first      bool // of the paths
}{
	"as usual":             {keys: []string{"openapi", "info", "servers", "tags", "paths", "components"}},
	"components in front":  {keys: []string{"openapi", "info", "components", "servers", "paths"}},
	"first of its paths":   {keys: []string{"openapi", "info", "components", "servers", "paths", "tags"}, first: true},
	"by the alphabet":      {keys: []string{"components", "info", "openapi", "paths", "servers", "tags"}, alphabetic: true},
	"alphabet at the top":  {keys: []string{"components", "info", "openapi", "paths", "servers", "tags"}, first: true},
	"paths before servers": {keys: []string{"openapi", "paths", "servers", "components", "info"}, alphabetic: true},
}

// inLayout is the operation of a file among others, in YAML.
func inLayout(t *testing.T, source, layout string) string {
	t.Helper()
	of := layouts[layout]
	doc, err := parse([]byte(content(t, source)))
	require.NoError(t, err)
	others, err := parse([]byte(`openapi: 3.1.0
tags: [{name: All}]
paths:
  /a: {get: {operationId: a, responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}}}}}
  /z: {get: {operationId: z, responses: {'200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Z'}}}}}}}
components: {schemas: {A: {type: object, properties: {b: {$ref: '#/components/schemas/B'}}}, B: {type: string}, Z: {oneOf: [$ref: '#/components/schemas/Y', $ref: '#/components/schemas/X', $ref: '#/components/schemas/W']},
  Y: {type: string}, X: {type: object}, W: {type: integer}}}
`))
	require.NoError(t, err)
	root := withoutRepetition(doc.root)
	made := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	put := func(in *yaml.Node, key string, value *yaml.Node) {
		in.Content = append(in.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	}
	for _, key := range of.keys {
		value := get(root, key)
		if value == nil || key == "tags" {
			value = get(others.root, key)
		}
		both := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		switch key {
		case "paths":
			operation := func() { put(both, operationPath, get(root, "paths", operationPath)) }
			if of.first {
				operation()
			}
			for path, item := range pairs(get(others.root, "paths")) {
				put(both, path, item)
			}
			if !of.first {
				operation()
			}
			value = both
		case "components":
			put(both, "schemas", &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: slices.Concat(get(others.root, "components", "schemas").Content, contentOf(get(root, "components", "schemas")))})
			for kind, value := range pairs(value) {
				if kind != "schemas" {
					put(both, kind, value)
				}
			}
			value = both
		}
		put(made, key, value)
	}
	if of.alphabetic {
		byAlphabet(made)
	}
	text, err := yaml.Dump(plain(made), yaml.WithV4Defaults())
	require.NoError(t, err)
	return string(text)
}

func contentOf(n *yaml.Node) []*yaml.Node {
	if n == nil {
		return nil
	}
	return n.Content
}

func byAlphabet(n *yaml.Node) {
	for _, child := range n.Content {
		byAlphabet(child)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	entries := slices.Collect(slices.Chunk(slices.Clone(n.Content), 2))
	slices.SortFunc(entries, func(a, b []*yaml.Node) int { return strings.Compare(a[0].Value, b[0].Value) })
	n.Content = slices.Concat(entries...)
}

// A text that was cut short is never drift, and never taken over, after whatever line or
// in whatever word, and in whatever order its publisher writes.
func TestCutIsNeverDrift(t *testing.T) {
	for layout := range layouts {
		for _, source := range []string{vendored, later} {
			t.Run(fmt.Sprint(layout, "/", source), func(t *testing.T) {
				t.Parallel()
				text := inLayout(t, source, layout)
				base, err := contractIn([]byte(text))
				require.NoError(t, err)
				lines, cut, at := 0, 0, 0
				for line := range strings.Lines(text) {
					ends := []int{at + len(line)}
					if lines++; lines%4 == 0 {
						ends = append(ends, at+len(line)*2/3)
					}
					for _, end := range ends {
						published, err := contractIn([]byte(text[:end]))
						if err == nil {
							var found *changes
							if found, err = changesBetween(base, published); err == nil {
								assert.True(t, found.none(), "drift after %q: %v", text[max(0, end-80):end], found.places)
							}
						}
						if err != nil {
							cut++
						}
					}
					at += len(line)
				}
				assert.Greater(t, cut, 100)
			})
		}
	}
}

// Where a text was cut short that has changed as well, it may be drift if what it says of
// our operation is all that it said.
func TestCutOfWhatHasChanged(t *testing.T) {
	for layout := range layouts {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			base, err := contractIn([]byte(shortened(content(t, vendored))))
			require.NoError(t, err)
			text := inLayout(t, later, layout)
			whole, err := contractIn([]byte(text))
			require.NoError(t, err)
			partly, at := 0, 0
			for line := range strings.Lines(text) {
				at += len(line)
				published, err := contractIn([]byte(text[:at]))
				if err != nil {
					continue
				}
				found, err := differencesBetween(base, published)
				require.NoError(t, err)
				if checkDrift(published, found) != nil {
					continue
				}
				lost, err := differencesBetween(whole, published)
				require.NoError(t, err)
				if len(lost) > 0 {
					partly++
				}
			}
			// Its last lines, which nothing asks for and nobody has seen before, are not missed
			// where the operation is the last thing in the text.
			assert.LessOrEqual(t, partly, map[bool]int{true: 4}[layout == "components in front"])
		})
	}
}

// What changed before the end of a text is drift, wherever the operation stands in it.
func TestCutIsNotWhatAnOrdinaryChangeIsTakenFor(t *testing.T) {
	for layout := range layouts {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			text := inLayout(t, vendored, layout)
			base, err := contractIn([]byte(text))
			require.NoError(t, err)
			for old, changed := range map[string]string{
				"        - title\n":                   "",
				"                  company_id:\n":     "                  account_id:\n",
				"operationId: createNotification\n":   "operationId: sendNotification\n",
				"url: https://api.whop.com/api/v1\n":  "url: https://api.whop.com/api/v2\n",
				"                    type: boolean\n": "                    type: string\n",
				"'400':\n":                            "'429':\n",
			} {
				if !strings.Contains(text, old) {
					t.Fatalf("%q is not in\n%s", old, text)
				}
				published, err := contractIn([]byte(strings.ReplaceAll(text, old, changed)))
				require.NoError(t, err)
				found, err := changesBetween(base, published)
				require.NoError(t, err, "%q", changed)
				assert.False(t, found.none())
			}
		})
	}
}
