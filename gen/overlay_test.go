package gen_test

import (
	"os"
	"testing"

	"github.com/oapi-codegen/oapi-codegen/v2/pkg/util"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// Both contracts that code is generated from.
var contracts = []struct {
	name, spec, overlay string
	errors              []string // statuses with an error body
}{
	{
		name: "vendored", spec: "../openapi.yml", overlay: "overlay.yaml",
		errors: []string{"400", "401", "403", "404", "422", "500"},
	},
	{
		name: "current", spec: "current/openapi.yml", overlay: "current/overlay.yaml",
		errors: []string{"400", "401", "403", "409"},
	},
}

// The generator passes over an overlay action that finds nothing, so that a new
// contract can be generated. For the contract at hand its own loader, set to be strict,
// finds a target for each.
func TestOverlayFindsItsTargets(t *testing.T) {
	for _, c := range contracts {
		t.Run(c.name, func(t *testing.T) {
			_, err := util.LoadSwaggerWithOverlay(c.spec, util.LoadSwaggerWithOverlayOpts{Path: c.overlay, Strict: true})
			require.NoError(t, err)
		})
	}
}

// A schema declared again in the overlay would hide a change of the specification.
func TestOverlayOnlyAnnotates(t *testing.T) {
	for _, c := range contracts {
		t.Run(c.name, func(t *testing.T) {
			var file struct {
				Actions []struct {
					Target string
					Update map[string]string
					Other  map[string]any `yaml:",inline"` // remove, copy
				}
			}
			require.NoError(t, yaml.Unmarshal(read(t, c.overlay), &file))
			require.NotEmpty(t, file.Actions)
			for _, action := range file.Actions {
				assert.Empty(t, action.Other, action.Target)
				assert.NotEmpty(t, action.Update, action.Target)
				for key := range action.Update {
					assert.Contains(t, []string{"x-go-name", "x-go-type-name", "x-go-type"}, key, action.Target)
				}
			}
		})
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	return data
}
