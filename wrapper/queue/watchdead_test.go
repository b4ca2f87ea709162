package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// WatchDead tells every dead letter, also after a restart. If tell fails, the letter comes again,
// and holds up no other.
// Letters that nobody takes do not keep new ones from being told.
func TestLettersThatFailHoldUpNoOthers(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "No.") })
	q := newQueue(t)
	const n = 20
	for i := range n {
		enqueue(t, q, always(i))
	}
	work(t, q, newClient(t, server), 4)
	eventually(t, q, queue.Stats{Dead: n})
	var failed atomic.Int32
	told := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		_ = q.WatchDead(ctx, "hook", func(_ context.Context, letter queue.DeadLetter) error {
			if letter.IdempotencyKey == "invoice-1" {
				close(told)
				return nil
			}
			failed.Add(1)
			time.Sleep(300 * time.Millisecond)
			return errors.New("the hook is away")
		})
	})
	require.True(t, waitFor(func() bool { return failed.Load() > n }))
	start := time.Now()
	enqueue(t, q, numbered(1))
	select {
	case <-told:
	case <-time.After(patience):
		require.Fail(t, "not told")
	}
	require.Less(t, time.Since(start), 25*time.Second)
}

func TestDeadLettersAreTold(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "Verify first.") })
	dir := t.TempDir()
	nc, stop, err := queue.Embedded(dir)
	require.NoError(t, err)
	q := open(t, nc)
	for i := range 3 {
		enqueue(t, q, numbered(i))
	}
	stopWork := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Dead: 3})
	require.NoError(t, stopWork())

	var mu sync.Mutex
	told, failures := map[string]int{}, 2
	tell := func(ctx context.Context, letter queue.DeadLetter) error {
		_, bounded := ctx.Deadline()
		require.True(t, bounded)
		require.Contains(t, letter.Reason, "Verify first.")
		require.NotZero(t, letter.ID)
		require.WithinDuration(t, time.Now(), letter.DiedAt, time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if letter.IdempotencyKey == "invoice-0" && failures > 0 {
			failures--
			return errors.New("not now")
		}
		told[letter.IdempotencyKey]++
		return nil
	}
	watch := func(q *queue.Queue) (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { require.NoError(t, q.WatchDead(ctx, "hook", tell)) })
		return func() { cancel(); watching.Wait() }
	}
	has := func(n int) bool { mu.Lock(); defer mu.Unlock(); return len(told) == n }
	end := watch(q)
	require.True(t, waitFor(func() bool { return has(2) }), "the one that fails holds up the others")
	end()
	require.NotContains(t, told, "invoice-0")
	require.NoError(t, stop())

	q = open(t, embedded(t, dir))
	end = watch(q)
	require.True(t, waitFor(func() bool { return has(3) }))
	enqueue(t, q, numbered(3))
	stopWork = work(t, q, newClient(t, server, once), 1)
	require.True(t, waitFor(func() bool { return has(4) }))
	require.NoError(t, stopWork())
	end()
	require.Equal(t, map[string]int{"invoice-0": 1, "invoice-1": 1, "invoice-2": 1, "invoice-3": 1}, told)
	eventually(t, q, queue.Stats{Dead: 4})
}

// A watcher that can never tell anything says so.
func TestAWatcherThatCannotWatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		consumer string
		change   func(*testing.T, *queue.Queue)
		want     error
	}{
		"name": {"a b", func(*testing.T, *queue.Queue) {}, jetstream.ErrInvalidConsumerName},
		"stream": {"hook", func(t *testing.T, q *queue.Queue) {
			require.NoError(t, streams(t, q).DeleteStream(t.Context(), "whop-notify-dead"))
		}, jetstream.ErrStreamNotFound},
		"closed": {"hook", func(t *testing.T, q *queue.Queue) { embeddedConn(t, q).Close() }, nats.ErrConnectionClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := open(t, connect(t, listening(t, nil).ClientURL()))
			c.change(t, q)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			require.ErrorIs(t, q.WatchDead(ctx, c.consumer, func(context.Context, queue.DeadLetter) error { return nil }), c.want)
		})
	}
}
