package queue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// A limiter that fails at once does not make a worker spin, and one whose bucket is gone ends it.
func TestALimiterThatFails(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	var events atomic.Int32
	q := newQueue(t, queue.WithObserver(func(context.Context, queue.Event) { events.Add(1) }))
	for i := range 200 {
		enqueue(t, q, numbered(i))
	}
	stop := work(t, q, newClient(t, server, whop.WithLimiter(failing{})), 8)
	time.Sleep(3 * time.Second)
	require.NoError(t, stop())
	require.Less(t, events.Load(), int32(80))
	require.NotZero(t, events.Load())
	require.Empty(t, server.Requests())

	limiter := q.Limiter(600)
	require.NoError(t, streams(t, q).DeleteKeyValue(t.Context(), "whop-notify-limits"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorContains(t, q.Work(ctx, newClient(t, server, whop.WithLimiter(limiter)), 8), "the queue's bucket is gone")
}

type failing struct{}

func (failing) Wait(context.Context) error { return errors.New("out of order") }

// A worker that ended in order leaves no doubt: a later refusal is certain.
func TestACleanEndLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	const n = 100
	for i := range n {
		enqueue(t, q, numbered(i))
	}
	sent := 0
	for sent < n/3 { // ends several workers, each with others waiting
		stop := work(t, q, newClient(t, server, whop.WithLimiter(q.Limiter(0))), 8)
		require.True(t, waitFor(func() bool { return len(server.Queued()) > sent }))
		require.NoError(t, stop())
		sent = len(server.Queued())
	}
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "No.") })
	work(t, q, newClient(t, server), 8)
	eventually(t, q, queue.Stats{Sent: sent, Dead: n - sent})
	for _, letter := range graveyard(t, q) {
		require.Equal(t, whop.Rejected, letter.Outcome, letter.IdempotencyKey)
	}
	require.Len(t, server.Requests(), n)
}

// A notification that waited for its turn when a worker ended was not attempted.
func TestWaitingForATurnIsNoAttempt(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	for i := range 5 {
		enqueue(t, q, numbered(i))
	}
	stop := work(t, q, newClient(t, server, whop.WithLimiter(q.Limiter(1))), 4)
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 1 }))
	time.Sleep(100 * time.Millisecond)
	require.NoError(t, stop())
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "No.") })
	work(t, q, newClient(t, server), 4)
	eventually(t, q, queue.Stats{Sent: 1, Dead: 4})
	for _, letter := range graveyard(t, q) {
		require.Equal(t, whop.Rejected, letter.Outcome)
	}
}

// If Whop has the key with another request, that says nothing about this one.
func TestAMismatchAfterDoubtIsUnknown(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Reset().AfterQueueing() })
	enqueue(t, q, numbered(1))
	stop := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Retrying: 1})
	require.NoError(t, stop())
	server.ScriptFunc(nil)
	work(t, q, newClient(t, server, once, whop.WithAPIVersion("2025-01-01")), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	letter := graveyard(t, q)[0]
	require.Equal(t, whop.Unknown, letter.Outcome)
	require.Contains(t, letter.Reason, "change of the API version")
}

// While an attempt is in doubt, its key is never replaced, whether the caller or the queue chose
// it.
func TestNoNewKeyWhileInDoubt(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]whop.Notification{"the caller's": numbered(1), "the queue's": paid} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.Script(whoptest.Reset().AfterQueueing(), whoptest.RateLimited(time.Second).WithHeader("Idempotent-Replayed", "true"))
			q := newQueue(t)
			ticket := enqueue(t, q, n)
			work(t, q, newClient(t, server, once), 1)
			eventually(t, q, queue.Stats{Dead: 1})
			require.Equal(t, whop.Unknown, graveyard(t, q)[0].Outcome)
			require.Len(t, server.Queued(), 1)
			for _, r := range server.Requests() {
				require.Equal(t, ticket.IdempotencyKey, r.IdempotencyKey)
			}
		})
	}
}

// Thousands of concurrent calls of Enqueue all get their ticket.
func TestManyEnqueueAtOnce(t *testing.T) {
	t.Parallel()
	nats := listening(t, func(o *server.Options) { o.SyncAlways = false }) // whatever the disk
	q := open(t, connect(t, nats.ClientURL()))
	const n = 8000
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	failed := map[string]int{}
	for i := range n {
		all.Go(func() {
			if _, err := q.Enqueue(ctx, numbered(i)); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[fmt.Sprint(err)]++
			}
		})
	}
	all.Wait()
	require.Empty(t, failed)
	eventually(t, q, queue.Stats{Waiting: n})
}
