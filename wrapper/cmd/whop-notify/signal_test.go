package main_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// arrived waits until the server has got n requests.
func arrived(t *testing.T, server *whoptest.Server, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(server.Requests()) == n }, patience, time.Millisecond)
}

func TestASignalDuringAnAttemptLeavesTheOutcomeUnknown(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(whoptest.Stall().AfterQueueing())
			p := start(t, environment(server), sendArgs("--output", "json")...)
			arrived(t, server, 1)
			sent := time.Now()
			p.signal(s)
			f := p.finish()

			require.Less(t, time.Since(sent), 5*time.Second, "it ends at once")
			require.Equal(t, 3, f.code)
			r := parse(t, f.stdout)
			require.Equal(t, "unknown", r.Outcome)
			require.Equal(t, 1, r.Attempts)
			require.Contains(t, f.stderr, s.String()+" signal received")
			require.Contains(t, f.stderr, "may have been queued (1 attempt")
			require.Contains(t, f.stderr, "--idempotency-key "+server.Requests()[0].IdempotencyKey)
		})
	}
}

func TestASignalDuringAWaitAfterARefusalLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(whoptest.RateLimited(30 * time.Second))
			p := start(t, environment(server), sendArgs("--verbose")...)
			p.await("will retry")
			p.signal(s)
			f := p.finish()

			require.Equal(t, 1, f.code)
			require.Contains(t, f.stdout, "rejected: ")
			require.Contains(t, f.stderr, "notification rejected (1 attempt)")
			require.Contains(t, f.stderr, s.String()+" signal received")
			require.Contains(t, f.stderr, "Nothing was queued.")
			require.Empty(t, server.Queued())
		})
	}
}

func TestASignalDuringAWaitAfterADoubtfulAttempt(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", "Busy").WithHeader("Retry-After", "30"))
	p := start(t, environment(server), sendArgs("--verbose")...)
	p.await("will retry")
	p.signal(syscall.SIGINT)
	f := p.finish()
	require.Equal(t, 3, f.code)
	require.Contains(t, f.stderr, "--idempotency-key "+server.Requests()[0].IdempotencyKey)
}
