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

// clone is a copy of the whole tree.
func clone(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = "../.."
	names, err := list.Output()
	require.NoError(t, err)
	tree := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(tree, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(tree, name), data, 0o644))
	}
	return tree
}

// updatedTree is a clone whose specification is updated to the later contract and whose
// code is generated from it.
func updatedTree(t *testing.T) string {
	t.Helper()
	tree := clone(t)
	code, _, stderr := specsync(t, "update", "--spec", filepath.Join(tree, "openapi.yml"), later)
	require.Equal(t, exitSame, code, stderr)
	out, err := goIn(t, tree, "generate", "./...")
	require.NoError(t, err, out)
	return tree
}

func goIn(t *testing.T, dir string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// After an update to the later contract the code is generated and compiles, and what
// then fails to compile in wrapper is what a person has to decide: the two bodies that
// became one, and the operation's new name and header parameters.
func TestWhatIsLeftToDecideAfterAnUpdate(t *testing.T) {
	tree := updatedTree(t)
	out, err := goIn(t, tree, "build", "./gen", ".")
	require.NoError(t, err, out)

	out, err = goIn(t, tree, "build", "-gcflags=-e", "./wrapper/...")
	require.Error(t, err)
	undefined := regexp.MustCompile(`^wrapper/\w+\.go:\d+:\d+: undefined: gen\.(\w+)$`)
	var missing []string
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue // the package's name
		}
		found := undefined.FindStringSubmatch(filepath.ToSlash(line))
		if assert.NotNil(t, found, "more than a missing name: %s", line) {
			missing = append(missing, found[1])
		}
	}
	assert.ElementsMatch(t, []string{"CompanyNotification", "ExperienceNotification", "NewCreateNotificationRequestWithBody"}, missing)
}
