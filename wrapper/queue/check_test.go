package queue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// Repeated checks leave one entry, which is not mistaken for a notification.
func TestCheck(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	bucket, err := streams(t, q).Stream(t.Context(), "KV_whop-notify-limits")
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, q.Check(t.Context()))
		info, err := bucket.Info(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, info.State.Msgs)
	}
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, queue.Stats{}, stats)

	embeddedConn(t, q).Close()
	require.ErrorContains(t, q.Check(t.Context()), "queue: storing nothing but a check: ")
}
