package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

func openEmbedded(t *testing.T) *Queue {
	t.Helper()
	nc, stop, err := Embedded(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	q, err := Open(t.Context(), nc)
	require.NoError(t, err)
	return q
}

// takenBy returns a notification that a worker has taken.
func takenBy(t *testing.T, w *worker) *handling {
	t.Helper()
	_, err := w.queue.Enqueue(t.Context(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w.ended = ended
	h := &handling{worker: w}
	h.msg, err = w.queue.fresh.Next(jetstream.FetchMaxWait(5 * time.Second))
	require.NoError(t, err)
	require.NoError(t, h.read())
	return h
}

// Failures of first attempts slow a worker down. Those of retries do not: one that always fails
// says nothing about Whop.
func TestRetriesDoNotFeedTheBrake(t *testing.T) {
	t.Parallel()
	q := openEmbedded(t)
	for _, c := range []struct {
		name  string
		retry bool
	}{
		{name: "first attempt"},
		{name: "retry", retry: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &worker{queue: q, brake: brake{threshold: 1}}
			h := takenBy(t, w)
			h.retry = c.retry
			h.settle(t.Context(), t.Context(), &whop.SendError{Attempts: 1, Err: errors.New("connection reset by peer")})
			require.Equal(t, c.retry, w.brake.left(false) <= 0)
			require.LessOrEqual(t, w.brake.left(true), time.Duration(0))
		})
	}
}
