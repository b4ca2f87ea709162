package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// shownStatus is what --output json promises of a queue.
type shownStatus struct {
	Waiting, Retrying, Sent, Dead int
	InFlight                      int `json:"in_flight"`
	Oldest                        float64
	LastSuccess                   time.Time `json:"last_success"`
	At                            time.Time
	Held                          bool
	File                          string
	Notifications                 int
}

func statusJSON(t *testing.T, env []string, args ...string) shownStatus {
	t.Helper()
	f := execute(t, env, append([]string{"status", "--output", "json"}, args...)...)
	require.Zero(t, f.code, f.stderr)
	return parseAs[shownStatus](t, f.stdout)
}

func TestStatusOfABatch(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	n := 0
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
		switch n++; {
		case n == 1:
			return whoptest.Error(422, "", "Verify first.")
		case n <= 10:
			return whoptest.Serve()
		}
		return whoptest.Stall()
	})
	file := fileOf(t, 30)
	state := file + ".state"
	p := start(t, environment(server), "batch", file, "--rate-limit", "0")
	var s shownStatus
	require.Eventually(t, func() bool {
		if f := execute(t, nil, "status", "--state", state, "--output", "json"); f.code == 0 {
			s = parseAs[shownStatus](t, f.stdout)
		}
		return s.Sent == 9 && s.Dead == 1 && !s.LastSuccess.IsZero()
	}, patience, 200*time.Millisecond)
	require.True(t, s.Held)
	require.Equal(t, file, s.File)
	require.Equal(t, 30, s.Notifications)
	require.Equal(t, 20, s.Waiting+s.Retrying+s.InFlight)
	require.Positive(t, s.Oldest)
	require.WithinDuration(t, time.Now(), s.At, 10*time.Second)
	text := execute(t, nil, "status", "--state", state).stdout
	require.Regexp(t, `as the process at work on it wrote \d+s ago\n`, text)
	require.Contains(t, text, "  sent             9\n")

	// What is stopped writes nothing, and that shows.
	require.NoError(t, p.Process.Signal(syscall.SIGSTOP))
	old, err := json.Marshal(map[string]any{"at": time.Now().Add(-time.Minute), "queue": map[string]int{"sent": 9}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(state, "status.json"), old, 0o600))
	require.Regexp(t, `wrote 1m\ds ago: it writes each second, unless it is stopped`, execute(t, nil, "status", "--state", state).stdout)
	p.kill()

	s = statusJSON(t, nil, "--state", state)
	require.False(t, s.Held)
	require.Equal(t, 9, s.Sent)
	require.Equal(t, 1, s.Dead)
}

func TestStatusOfAServer(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	hub := startNATS(t)
	hub.open()
	env := append(environment(server), "NATS_URL="+hub.url())
	require.Zero(t, execute(t, env, "enqueue", fileOf(t, 20)).code)
	s := statusJSON(t, env)
	require.Equal(t, 20, s.Waiting)
	require.Zero(t, s.LastSuccess)
	require.False(t, s.Held)
	require.Contains(t, execute(t, env, "status").stdout, "\n  last success     none yet\n")

	p := start(t, env, "work", "--rate-limit", "0")
	require.Eventually(t, func() bool {
		s := statusJSON(t, env)
		return s.Sent == 20 && time.Since(s.LastSuccess) < patience // which is written down a little later
	}, patience, 100*time.Millisecond)
	text := execute(t, env, "status")
	require.Contains(t, text.stdout, "the queue whop-notify on "+hub.url()+"\n  waiting          0\n  retrying         0\n  in flight        0\n  sent             20\n  dead             0\n  last success     ")
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code)
	require.Regexp(t, `msg=ended waiting=0 .*sent=20 dead=0 last_success=\S+\n$`, f.stderr)

	// Looking makes no queue.
	for _, args := range [][]string{{"status"}, {"dead", "list"}} {
		f := execute(t, env, append(args, "--queue", "mistyped")...)
		require.Equal(t, 1, f.code)
		require.Contains(t, f.stderr, `there is no queue "mistyped"; is --queue right?`)
	}
}

func TestStatusRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{name: "nothing", code: 2, says: "--state DIR or a NATS server is required"},
		{name: "both", args: []string{"--state", ".", "--nats", "nats://127.0.0.1:1"}, code: 2, says: "--state and --nats exclude each other"},
		{name: "no batch", args: []string{"--state", os.TempDir()}, code: 2, says: "is not the directory of a batch"},
		{name: "not there", args: []string{"--state", "/no/such/directory"}, code: 2, says: "is not the directory of a batch"},
		{name: "server away", args: []string{"--nats", "nats://127.0.0.1:1"}, code: 1, says: "the NATS server nats://127.0.0.1:1 cannot be reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := execute(t, nil, append([]string{"status"}, test.args...)...)
			require.Equal(t, test.code, f.code)
			require.Contains(t, f.stderr, test.says)
			require.Empty(t, f.stdout)
		})
	}
}
