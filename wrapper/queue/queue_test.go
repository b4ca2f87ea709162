package queue_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestWhatIsEnqueuedIsSentOnce(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	const n = 200
	for i := range n {
		require.Equal(t, queue.Ticket{IdempotencyKey: numbered(i).IdempotencyKey()}, enqueue(t, q, numbered(i)))
	}
	eventually(t, q, queue.Stats{Waiting: n}) // the server counts new messages a moment later

	stop := work(t, q, newClient(t, server), 8)
	eventually(t, q, queue.Stats{Sent: n})
	require.NoError(t, stop())
	require.Len(t, server.Requests(), n)
	require.Len(t, server.Queued(), n)
}
