package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The directory of a relay can be looked into while it runs, and its dead letters settled while
// it does not. A batch leaves it alone.
func TestTheDirectoryOfARelay(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(422, "", "Verify first."))
	state := filepath.Join(t.TempDir(), "relay")
	p, base := relay(t, environment(server), "--state", state)
	require.Equal(t, 200, ask(t, base, request{body: toCompany, header: map[string]string{"Idempotency-Key": "k"}}).status)
	var s shownStatus
	require.Eventually(t, func() bool {
		if f := execute(t, nil, "status", "--state", state, "--output", "json"); f.code == 0 {
			s = parseAs[shownStatus](t, f.stdout)
		}
		return s.Dead == 1
	}, patience, 200*time.Millisecond)
	require.True(t, s.Held)
	f := execute(t, nil, "dead", "list", "--state", state)
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, "a relay has its queue in "+state+" to itself")
	require.Contains(t, f.stderr, "stop it first")

	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
	for _, args := range [][]string{{fileOf(t, 1)}, {fileOf(t, 1), "--restart"}, {}} {
		f = execute(t, environment(server), append([]string{"batch", "--state", state}, args...)...)
		require.Equal(t, 2, f.code, args)
		require.Contains(t, f.stderr, "is ", args)
		require.NotContains(t, f.stdout, "taken", args)
	}
	require.False(t, statusJSON(t, nil, "--state", state).Held)
	require.True(t, strings.HasPrefix(execute(t, nil, "status", "--state", state).stdout, "the relay in "+state+"\n"))
	require.Contains(t, execute(t, nil, "dead", "list", "--state", state).stdout, "Verify first.")
	f = execute(t, nil, "dead", "retry", "--all", "--state", state)
	require.Zero(t, f.code, f.stderr)

	p, _ = relay(t, environment(server), "--state", state)
	require.Eventually(t, func() bool { return len(server.Queued()) == 1 }, patience, 20*time.Millisecond)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
	require.Equal(t, "k", server.Queued()[0].IdempotencyKey)
}

// A relay whose directory is moved or deleted would go on in the old files: it ends, and says so.
func TestARelayWhoseDirectoryIsMoved(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	state := filepath.Join(t.TempDir(), "relay")
	p, _ := relay(t, environment(server), "--state", state)
	require.NoError(t, os.Rename(state, state+".moved"))
	f := p.finish()
	require.Equal(t, 1, f.code, f.stderr)
	require.Contains(t, f.stderr, "the state directory "+state+" was deleted or replaced")
}
