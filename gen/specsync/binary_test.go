//go:build unix

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func binary(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "specsync")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", name, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return name
}

// In a directory that it may not write to, the update fails and says so. Root may
// write anywhere, so as root the command runs as somebody else.
func TestUpdateInReadOnlyDirectory(t *testing.T) {
	command := binary(t)
	spec := drifted(t)
	before := content(t, spec)
	source := file(t, "source", content(t, vendored))
	dir := filepath.Dir(spec)
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // the test's own, closed to others
	require.NoError(t, os.Chmod(dir, 0o555))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(dir, 0o755)) })

	cmd := exec.CommandContext(t.Context(), command, "update", "--spec", spec, source)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run())
	assert.Equal(t, exitCannotTell, cmd.ProcessState.ExitCode())
	assert.Contains(t, stderr.String(), "is as it was")
	assert.Contains(t, stderr.String(), "permission denied")
	assert.Equal(t, before, content(t, spec))
	alone(t, spec)
}

// Control-C while the source is on its way.
func TestUpdateStoppedBySignal(t *testing.T) {
	command := binary(t)
	spec := drifted(t)
	before := content(t, spec)
	asked := make(chan struct{})
	address := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	cmd := exec.CommandContext(t.Context(), command, "update", "--spec", spec, address)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	<-asked
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, exitCannotTell, cmd.ProcessState.ExitCode())
	assert.Contains(t, stderr.String(), "interrupted")
	assert.Equal(t, before, content(t, spec))
	alone(t, spec)
}
