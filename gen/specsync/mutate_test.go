package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// Every change of meaning is drift, and no change of words is: each value of the
// contract is changed, and each field dropped, one at a time.
func TestEveryChangeOfMeaningIsDrift(t *testing.T) {
	t.Parallel()
	for _, source := range []string{vendored, later} {
		doc, err := parse([]byte(content(t, source)))
		require.NoError(t, err)
		text, err := yaml.Dump(withoutRepetition(doc.root))
		require.NoError(t, err)
		original, err := contractIn(text)
		require.NoError(t, err)
		part, err := written(contracts[0], original, source)
		require.NoError(t, err)
		judged := 0
		mutate(t, part, func(where []string, text []byte) {
			changed, err := contractIn(text)
			if err != nil {
				return // "cannot tell" is loud too
			}
			found, err := differencesBetween(original, changed)
			require.NoError(t, err)
			if checkDrift(changed, found) != nil {
				return // a text without its last line may have been cut short
			}
			judged++
			assert.Equal(t, onlyWords(where), len(found) == 0, "%s: %s", source, strings.Join(where, "."))
		})
		assert.Greater(t, judged, 100, source)
	}
}

// withoutRepetition drops what would be judged the same many times over.
func withoutRepetition(n *yaml.Node) *yaml.Node {
	return filter(n, func(key string, value *yaml.Node) *yaml.Node {
		switch {
		case slices.Contains([]string{"401", "403", "404", "422", "500", "x-codeSamples", "icon_user_id", "subtitle"}, key):
			return nil
		case key == "tags":
			return &yaml.Node{Kind: yaml.SequenceNode, Content: value.Content[:1]}
		case value.Kind == yaml.MappingNode && len(value.Content) > 0:
			return withoutRepetition(value)
		default:
			return value
		}
	})
}

// onlyWords says whether what stands at a place is for readers alone.
func onlyWords(where []string) bool {
	if slices.Contains([]string{"info", "tags", "openapi"}, where[0]) {
		return true
	}
	for i, key := range where {
		if i > 0 && where[i-1] == "properties" {
			continue // a property may have any name
		}
		if slices.Contains([]string{"description", "summary", "example", "title", "tags", "x-whop-surface"}, key) {
			return true
		}
	}
	return false
}

// isDefault says whether a field of this value says what its absence says.
func isDefault(value *yaml.Node) bool {
	return value.Value == "false" || value.Kind == yaml.SequenceNode && len(value.Content) == 0
}

// mutate calls try with text after each single change of it.
func mutate(t *testing.T, text []byte, try func(where []string, text []byte)) {
	var root yaml.Node
	require.NoError(t, yaml.Load(text, &root))
	attempt := func(where []string) {
		changed, err := yaml.Dump(&root)
		require.NoError(t, err)
		try(where, changed)
	}
	var walk func(n *yaml.Node, where []string)
	walk = func(n *yaml.Node, where []string) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				at := append(slices.Clone(where), n.Content[i].Value)
				if !isDefault(n.Content[i+1]) {
					whole := n.Content
					n.Content = slices.Delete(slices.Clone(whole), i, i+2)
					attempt(at)
					n.Content = whole
				}
				walk(n.Content[i+1], at)
			}
		case yaml.SequenceNode, yaml.DocumentNode:
			for i, child := range n.Content {
				if n.Kind == yaml.SequenceNode {
					whole := n.Content
					n.Content = slices.Delete(slices.Clone(whole), i, i+1)
					attempt(where)
					n.Content = whole
				}
				walk(child, where)
			}
		case yaml.ScalarNode:
			was := *n
			switch n.Value {
			case "true":
				n.Value = "false"
			case "false":
				n.Value = "true"
			case "string":
				n.Value = "integer"
			default:
				n.Value += "1"
			}
			attempt(where)
			*n = was
		}
	}
	walk(&root, nil)
}
