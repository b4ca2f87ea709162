package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The commands in CONTRIBUTING.md under "When Whop changes its API" run in a clone, on a day
// when Whop has published its later contract.
func TestCommandsForMaintainers(t *testing.T) {
	t.Parallel()
	tree := clone(t)
	document := content(t, "../../.github/CONTRIBUTING.md")
	_, section, found := strings.Cut(document, "\n## When Whop changes its API\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	fences := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(section, -1)
	require.NotEmpty(t, fences)
	for _, fence := range fences {
		for line := range strings.Lines(fence[1]) {
			command := exec.CommandContext(t.Context(), "bash", "-c", line)
			command.Dir = tree
			command.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=-buildvcs=false", "SPEC=gen/specsync/testdata/later.json")
			out, err := command.CombinedOutput()
			if strings.HasPrefix(line, "make spec-diff") { // there is drift on this day
				require.Error(t, err)
				require.Contains(t, string(out), "Error 1")
				continue
			}
			require.NoError(t, err, "%s%s", line, out)
		}
	}
	assert.Contains(t, content(t, filepath.Join(tree, "openapi.yml")), "account_id")
	assert.Contains(t, content(t, filepath.Join(tree, "gen/whop.gen.go")), "AccountID")
}
