package queue_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// always returns a notification that Whop never accepts.
func always(i int) whop.Notification { return numbered(i).WithIdempotencyKey(fmt.Sprintf("bad-%d", i)) }

func failingBad(r whoptest.Request) whoptest.Reply {
	if strings.HasPrefix(r.IdempotencyKey, "bad-") {
		return whoptest.Error(503, "", "This one always fails.")
	}
	return whoptest.Serve()
}

// A good notification goes out at once, even among many that always fail and are retried as
// soon as possible.
func TestFaultsOfSomeHoldUpNobody(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(failingBad)
	q := newQueue(t)
	bad := 150
	if os.Getenv("WHOP_SOAK") != "" {
		bad = 1000
	}
	var ns []whop.Notification
	for i := range bad {
		ns = append(ns, always(i), numbered(2*i)) // so that the brake is off
	}
	for _, err := range q.EnqueueAll(t.Context(), slices.Values(ns)) {
		require.NoError(t, err)
	}
	limiter := q.Limiter(8 * bad) // retries may take a quarter of that
	for range 2 {
		work(t, q, newClient(t, server, once, whop.WithLimiter(limiter)), 8)
	}
	require.True(t, waitFor(func() bool {
		s, err := q.Stats(t.Context())
		return err == nil && s.Sent == bad && s.Waiting == 0
	}), "each is tried once")
	var took []time.Duration
	for i := range 50 {
		start := time.Now()
		key := enqueue(t, q, numbered(2*i+1)).IdempotencyKey
		require.True(t, waitFor(func() bool {
			return slices.ContainsFunc(server.Queued(), func(r whoptest.Request) bool { return r.IdempotencyKey == key })
		}))
		took = append(took, time.Since(start))
		time.Sleep(100 * time.Millisecond)
	}
	slices.Sort(took)
	t.Logf("a good one takes %v, at most %v", took[len(took)/2], took[len(took)-1])
	require.Less(t, took[len(took)*9/10], 5*time.Second, "on a busy machine one may be given out twice, 10 s later")
	require.Greater(t, len(server.Requests()), 2*bad+50, "what fails is tried again meanwhile")
}

// The brake counts first attempts, and lets some through every few seconds.
func TestMoreFailingOnesThanAWorkerHasSenders(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(failingBad)
	q := newQueue(t)
	for i := range 60 {
		enqueue(t, q, always(i))
	}
	enqueue(t, q, numbered(1))
	work(t, q, newClient(t, server, once), 16)
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 1 }))
}
