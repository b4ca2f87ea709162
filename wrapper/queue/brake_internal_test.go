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

// Failures of first attempts slow a worker down. Those of retries do not: one that always fails
// says nothing about Whop.
func TestRetriesDoNotFeedTheBrake(t *testing.T) {
	t.Parallel()
	nc, stop, err := Embedded(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	q, err := Open(t.Context(), nc)
	require.NoError(t, err)
	for _, c := range []struct {
		name  string
		retry bool
	}{
		{name: "first attempt"},
		{name: "retry", retry: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := q.Enqueue(t.Context(), whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
			require.NoError(t, err)
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			w := &worker{queue: q, ended: ended, brake: brake{threshold: 1}}
			h := &handling{worker: w}
			h.msg, err = q.fresh.Next(jetstream.FetchMaxWait(5 * time.Second))
			require.NoError(t, err)
			require.NoError(t, h.read())
			h.retry = c.retry
			h.settle(t.Context(), t.Context(), &whop.SendError{Attempts: 1, Err: errors.New("connection reset by peer")})
			w.parts.Wait()
			require.Equal(t, c.retry, w.brake.left(false) <= 0)
			require.LessOrEqual(t, w.brake.left(true), time.Duration(0))
		})
	}
}
