package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestNotBeforeWaitsForItsTime(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	work(t, q, newClient(t, server), 1)
	due := time.Now().Add(3 * time.Second)
	_, err := q.Enqueue(t.Context(), numbered(1), queue.NotBefore(due))
	require.NoError(t, err)
	_, err = q.Enqueue(t.Context(), numbered(2), queue.NotBefore(due.Add(time.Hour)))
	require.NoError(t, err)
	eventually(t, q, queue.Stats{Retrying: 1, Sent: 1})
	found, err := q.Find(t.Context(), "invoice-2")
	require.NoError(t, err)
	require.Equal(t, queue.Waiting, found.State)
	require.False(t, found.Retrying)
	at := server.Queued()[0].Time
	require.False(t, at.Before(due), "never early")
	require.Less(t, at.Sub(due), 9*time.Second, "before it is given out again")
	require.True(t, enqueue(t, q, numbered(1)).Duplicate)
}

// A notification can be canceled for as long as no attempt is in flight or in doubt.
func TestCancel(t *testing.T) {
	t.Parallel()
	later := queue.NotBefore(time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		worker bool
		reply  whoptest.Reply
		opts   []queue.EnqueueOption
		until  queue.Stats
		want   error
	}{
		"while it waits for a worker":       {false, whoptest.Serve(), nil, queue.Stats{Waiting: 1}, nil},
		"before its time, with no worker":   {false, whoptest.Serve(), []queue.EnqueueOption{later}, queue.Stats{Waiting: 1}, nil},
		"before its time":                   {true, whoptest.Serve(), []queue.EnqueueOption{later}, queue.Stats{Retrying: 1}, nil},
		"after a refusal that is certain":   {true, whoptest.RateLimited(50 * time.Minute), nil, queue.Stats{Retrying: 1}, nil},
		"after an attempt that is in doubt": {true, whoptest.Error(503, "", "").WithHeader("Retry-After", "3000"), nil, queue.Stats{Retrying: 1}, queue.ErrUnderWay},
		"while it is attempted":             {true, whoptest.Stall(), nil, queue.Stats{InFlight: 1}, queue.ErrUnderWay},
		"after it was sent":                 {true, whoptest.Serve(), nil, queue.Stats{Sent: 1}, queue.ErrUnderWay},
		"after it was given up":             {true, whoptest.Error(422, "", ""), nil, queue.Stats{Dead: 1}, queue.ErrUnderWay},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			if c.worker {
				server.Script(c.reply)
			}
			q := newQueue(t, queue.WithDrainTimeout(time.Second))
			_, err := q.Enqueue(t.Context(), numbered(1), c.opts...)
			require.NoError(t, err)
			if c.worker {
				work(t, q, newClient(t, server, once), 1)
			}
			eventually(t, q, c.until)
			if c.until.InFlight > 0 {
				require.True(t, waitFor(func() bool { return len(server.Requests()) == 1 }))
			}
			require.ErrorIs(t, q.Cancel(t.Context(), "invoice-1"), c.want)
			if c.want != nil {
				return
			}
			eventually(t, q, queue.Stats{})
			require.NoError(t, q.Cancel(t.Context(), "invoice-1"), "again")
			require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-1", Duplicate: true, State: queue.Canceled}, enqueue(t, q, numbered(1)))
			work(t, q, newClient(t, server), 1)
			enqueue(t, q, numbered(2))
			eventually(t, q, queue.Stats{Sent: 1})
			require.Equal(t, "invoice-2", server.Queued()[0].IdempotencyKey)
		})
	}
	require.ErrorIs(t, newQueue(t).Cancel(t.Context(), "never seen"), queue.ErrUnknownKey)
}

// A cancellation that broke off half way is one all the same.
func TestCancelThatBrokeOff(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	enqueue(t, q, numbered(1))
	put(t, q, "whop-notify.begun.1.0", begunBy("canceled"))
	enqueue(t, q, numbered(2))
	put(t, q, "whop-notify.begun.2.0", begunBy("canceled"))
	require.NoError(t, q.Cancel(t.Context(), "invoice-2"), "with no worker")
	server := whoptest.NewServer(t)
	work(t, q, newClient(t, server), 1)
	require.True(t, waitFor(func() bool {
		found, err := q.Find(t.Context(), "invoice-1")
		require.NoError(t, err)
		return found.State == queue.Canceled
	}))
	eventually(t, q, queue.Stats{})
	require.NoError(t, q.Cancel(t.Context(), "invoice-1"))
	require.Empty(t, server.Requests())
}

func TestNotBeforeThatCannotBeKept(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	_, err := q.Enqueue(t.Context(), numbered(1), queue.NotBefore(time.Unix(time.Now().UnixMilli(), 0)))
	require.ErrorIs(t, err, queue.ErrNotEnqueued)
	require.ErrorContains(t, err, "were milliseconds taken for seconds?")
	require.Equal(t, queue.Stats{}, counts(t, q))
}

// Those that waited for a time are first attempts, and have all of the limit.
func TestManyAtOneTime(t *testing.T) {
	t.Parallel()
	const n = 40
	server := whoptest.NewServer(t)
	q := newQueue(t)
	at := time.Now().Add(2 * time.Second)
	for i := range n {
		_, err := q.Enqueue(t.Context(), numbered(i), queue.NotBefore(at))
		require.NoError(t, err)
	}
	work(t, q, newClient(t, server, whop.WithLimiter(q.Limiter(n))), 16)
	eventually(t, q, queue.Stats{Sent: n})
	require.Less(t, time.Since(at), 30*time.Second)
}

// What was sent is known to be sent, and cannot be canceled, also while an older notification
// is in flight.
func TestSentBehindASlowOne(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	failedOnce := false
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		switch {
		case r.IdempotencyKey == "invoice-1":
			return whoptest.Stall()
		case r.IdempotencyKey == "invoice-3" && !failedOnce:
			failedOnce = true
			return whoptest.Error(503, "", "Busy")
		}
		return whoptest.Serve()
	})
	q := newQueue(t, queue.WithDrainTimeout(time.Second))
	for i := range 3 {
		enqueue(t, q, numbered(i+1))
	}
	work(t, q, newClient(t, server, once), 3)
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 2 }))
	for _, key := range []string{"invoice-2", "invoice-3"} {
		require.ErrorIs(t, q.Cancel(t.Context(), key), queue.ErrUnderWay)
		require.True(t, waitFor(func() bool {
			found, err := q.Find(t.Context(), key)
			require.NoError(t, err)
			return found.State == queue.Sent
		}), "it is known once its attempt's record has gone")
		require.ErrorIs(t, q.Cancel(t.Context(), key), queue.ErrUnderWay)
	}
	require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-2", Duplicate: true, State: queue.Sent}, enqueue(t, q, numbered(2)))
	found, err := q.Find(t.Context(), "invoice-1")
	require.NoError(t, err)
	require.Equal(t, queue.Waiting, found.State)
	require.Equal(t, queue.Stats{InFlight: 1, Sent: 2}, counts(t, q))
}

// A notification that waits for its time is not old.
func TestOldestIsDue(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
		return whoptest.Error(503, "", "Busy").WithHeader("Retry-After", "1")
	})
	q := newQueue(t)
	_, err := q.Enqueue(t.Context(), numbered(1), queue.NotBefore(time.Now().Add(time.Hour)))
	require.NoError(t, err)
	stop := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Retrying: 1})
	time.Sleep(100 * time.Millisecond)
	s, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Zero(t, s.Oldest)
	enqueue(t, q, numbered(2))
	eventually(t, q, queue.Stats{Retrying: 2})
	require.NoError(t, stop())
	require.True(t, waitFor(func() bool {
		s, err := q.Stats(t.Context())
		require.NoError(t, err)
		return s.Oldest > time.Second
	}), "since its next try is due")
}

// A ticket, and Find, show the state of the first notification under a key.
func TestATicketSaysWhatBecameOfADuplicate(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		switch r.IdempotencyKey {
		case "invoice-1":
			return whoptest.Error(422, "", "No.")
		case "invoice-2":
			return whoptest.Error(503, "", "Busy.").WithHeader("Retry-After", "3000")
		}
		return whoptest.Serve()
	})
	q := newQueue(t)
	for i := range 3 {
		enqueue(t, q, numbered(i))
	}
	stop := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Sent: 1, Dead: 1, Retrying: 1})
	require.NoError(t, stop())
	enqueue(t, q, numbered(3))
	for i, want := range []queue.TicketState{queue.Sent, queue.Dead, queue.Waiting, queue.Waiting} {
		require.Equal(t, queue.Ticket{IdempotencyKey: numbered(i).IdempotencyKey(), Duplicate: true, State: want}, enqueue(t, q, numbered(i)))
		found, err := q.Find(t.Context(), numbered(i).IdempotencyKey())
		require.NoError(t, err)
		require.Equal(t, want, found.State)
		require.Equal(t, i == 2, found.Retrying)
		require.WithinDuration(t, time.Now(), found.EnqueuedAt, time.Minute)
	}
	found, err := q.Find(t.Context(), "invoice-1")
	require.NoError(t, err)
	require.Equal(t, whop.Rejected, found.Outcome)
	require.Contains(t, found.Reason, "422")
	letter := graveyard(t, q)[0]
	require.Equal(t, letter.ID, found.DeadLetter)
	require.NoError(t, q.Drop(t.Context(), letter.ID))
	require.Equal(t, queue.Canceled, enqueue(t, q, numbered(1)).State)
	eventually(t, q, queue.Stats{Sent: 1, Retrying: 1, Waiting: 1})
	gone, err := streams(t, q).Stream(t.Context(), q.Name()+"-gone")
	require.NoError(t, err)
	require.NoError(t, gone.Purge(t.Context())) // as after a day
	require.Equal(t, queue.Stats{Sent: 1, Retrying: 1, Waiting: 1}, counts(t, q))
	_, err = q.Find(t.Context(), "never seen")
	require.ErrorIs(t, err, queue.ErrUnknownKey)
}
