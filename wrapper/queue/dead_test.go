package queue_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// buried returns a queue with the dead letter that the replies lead to.
func buried(t *testing.T, n whop.Notification, replies ...whoptest.Reply) (*whoptest.Server, *clock, *queue.Queue, queue.DeadLetter) {
	t.Helper()
	server, c, q := agedQueue(t, t.TempDir())
	server.Script(replies...)
	enqueue(t, q, n)
	stop := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	require.NoError(t, stop())
	return server, c, q, graveyard(t, q)[0]
}

func TestDeadLettersAreListedInOrder(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "Verify first.\nThen again.") })
	q := newQueue(t)
	for i := range 5 {
		_, err := q.EnqueueAt(t.Context(), numbered(i), uint64(i+1))
		require.NoError(t, err)
	}
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Dead: 5})
	letters := graveyard(t, q)
	for i, letter := range letters {
		require.Equal(t, numbered(i), letter.Notification)
		require.EqualValues(t, i+1, letter.Position)
		one, err := q.DeadLetter(t.Context(), letter.ID)
		require.NoError(t, err)
		require.Equal(t, letter, one)
	}
	require.NoError(t, q.Drop(t.Context(), letters[1].ID))
	require.ErrorIs(t, q.Drop(t.Context(), letters[1].ID), queue.ErrNoDeadLetter)
	_, err := q.DeadLetter(t.Context(), letters[1].ID)
	require.ErrorIs(t, err, queue.ErrNoDeadLetter)
	_, err = q.Retry(t.Context(), 0, false)
	require.ErrorIs(t, err, queue.ErrNoDeadLetter)
	require.Len(t, graveyard(t, q), 4)
	for letter, err := range q.Dead(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, letters[0], letter)
		break
	}
	eventually(t, q, queue.Stats{Dead: 4})
}

// Whop replays a refusal to a key. Once the queue has seen that, it gives up even the caller's
// key.
func TestTheKeyOfARetryAfterARefusal(t *testing.T) {
	t.Parallel()
	refusal := whoptest.Error(422, "", "Verify first.")
	for name, c := range map[string]struct {
		n    whop.Notification
		said whoptest.Reply
		keep bool
	}{
		"the caller's own":                  {numbered(1), refusal, true},
		"the caller's own, shown as spent":  {numbered(1), refusal.WithHeader("Idempotent-Replayed", "true"), false},
		"one that the queue made up itself": {paid, refusal, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _, q, letter := buried(t, c.n, c.said)
			require.Equal(t, whop.Rejected, letter.Outcome)
			ticket, err := q.Retry(t.Context(), letter.ID, false)
			require.NoError(t, err)
			require.Equal(t, c.keep, ticket.IdempotencyKey == letter.IdempotencyKey)
			require.Empty(t, graveyard(t, q))
			work(t, q, newClient(t, server), 1)
			eventually(t, q, queue.Stats{Sent: 1})
			require.Equal(t, ticket.IdempotencyKey, server.Queued()[0].IdempotencyKey)
		})
	}
}

func TestARetryInDoubtKeepsTheKey(t *testing.T) {
	t.Parallel()
	server, c, q, letter := buried(t, numbered(1), whoptest.Reset().AfterQueueing(), whoptest.Error(422, "", "No."))
	require.Equal(t, whop.Unknown, letter.Outcome)
	ticket, err := q.Retry(t.Context(), letter.ID, false)
	require.NoError(t, err)
	require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-1"}, ticket)
	c.putOn(22 * time.Hour)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Queued(), 1, "Whop knew it")
}

// A retry must not start the clock of the key anew.
func TestARetryInDoubtThatWaitsTooLongDiesAgain(t *testing.T) {
	t.Parallel()
	server, c, q, letter := buried(t, numbered(1), whoptest.Reset().AfterQueueing(), whoptest.Error(422, "", "No."))
	_, err := q.Retry(t.Context(), letter.ID, false)
	require.NoError(t, err)
	c.putOn(24 * time.Hour)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	require.Len(t, server.Requests(), 2)
	require.Len(t, server.Queued(), 1)
}

func TestARetryInDoubtAfter23HoursNeedsConsent(t *testing.T) {
	t.Parallel()
	server, c, q, letter := buried(t, numbered(1), whoptest.Reset().AfterQueueing(), whoptest.Error(422, "", "No."))
	c.putOn(24 * time.Hour)
	_, err := q.Retry(t.Context(), letter.ID, false)
	require.ErrorIs(t, err, queue.ErrMayRepeat)
	require.Len(t, graveyard(t, q), 1)

	ticket, err := q.Retry(t.Context(), letter.ID, true)
	require.NoError(t, err)
	require.NotEqual(t, "invoice-1", ticket.IdempotencyKey)
	c.putOn(-24 * time.Hour) // the server, whose clock dates the enqueuing, has another clock
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Queued(), 2, "as was accepted")
}
