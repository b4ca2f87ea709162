package queue_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// forgetful reopens a queue whose server has forgotten its last deliveries, like a server that
// was killed.
func forgetful(t *testing.T, q *queue.Queue, opts ...queue.Option) *queue.Queue {
	t.Helper()
	nc := embeddedConn(t, q)
	require.NoError(t, streams(t, q).DeleteConsumer(t.Context(), q.Name(), "workers"))
	return open(t, nc, opts...)
}

func streams(t testing.TB, q *queue.Queue) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(embeddedConn(t, q), jetstream.WithDefaultTimeout(patience))
	require.NoError(t, err)
	return js
}

func TestARefusalIsNoProofWhereTheServerForgotADelivery(t *testing.T) {
	t.Parallel()
	server, _, q := agedQueue(t, t.TempDir())
	attemptedOnce(t, server, q, numbered(1))
	server.Script(whoptest.Error(422, "", "Not any more."))
	q = forgetful(t, q)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	require.Equal(t, whop.Unknown, graveyard(t, q)[0].Outcome, "Whop has it queued")
}

// Whop remembers a 429 under the key; the worker meets the replay in a later delivery.
func TestARememberedRateLimitIsOvercomeInALaterDelivery(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.RateLimitedAfter(time.Millisecond).Remembered())
	q := newQueue(t)
	ticket := enqueue(t, q, paid)
	work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Requests(), 3)
	require.Equal(t, ticket.IdempotencyKey, server.Requests()[1].IdempotencyKey)
	require.Len(t, server.Queued(), 1)

	// Once more, since the server forgot that it was done, and the records of the attempts are
	// gone too.
	time.Sleep(3 * time.Second)
	q = forgetful(t, q)
	work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Queued(), 1)
}

// keepLetters makes it impossible to remove a dead letter.
func keepLetters(t *testing.T, q *queue.Queue) {
	t.Helper()
	js := streams(t, q)
	dead, err := js.Stream(t.Context(), q.Name()+"-dead")
	require.NoError(t, err)
	config := dead.CachedInfo().Config
	config.DenyDelete = true
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
}

// An interrupted retry continues under the key that it began with.
func TestARetryThatBreaksOffIsNotASecondOne(t *testing.T) {
	t.Parallel()
	server, _, q, letter := buried(t, paid, whoptest.Error(422, "", "No."))
	keepLetters(t, q)

	keys := map[string]bool{}
	for range 3 {
		ticket, err := q.Retry(t.Context(), letter.ID, false)
		require.ErrorContains(t, err, "is in the queue again, but could not be removed here")
		keys[ticket.IdempotencyKey] = true
	}
	require.Len(t, keys, 1)
	require.NotContains(t, keys, letter.IdempotencyKey)
	work(t, q, newClient(t, server), 1)
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 1 }))
	_, err := q.Retry(t.Context(), letter.ID, false)
	require.Error(t, err)
	enqueue(t, q, numbered(2))
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 2 }))
	require.Equal(t, "invoice-2", server.Queued()[1].IdempotencyKey)
}

// A retry's new key may have been used since, even a day later.
func TestARetryThatBrokeOffLongAgoNeedsConsent(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]whop.Notification{"key_of_the_queue": paid, "key_of_the_caller": numbered(1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, c, q, letter := buried(t, n, whoptest.Error(422, "", "No."))
			keepLetters(t, q)
			first, err := q.Retry(t.Context(), letter.ID, false)
			require.Error(t, err)
			work(t, q, newClient(t, server), 1)
			require.True(t, waitFor(func() bool { return len(server.Queued()) == 1 }))

			c.putOn(24 * time.Hour)
			_, err = q.Retry(t.Context(), letter.ID, false)
			require.ErrorIs(t, err, queue.ErrMayRepeat)
			second, err := q.Retry(t.Context(), letter.ID, true)
			require.ErrorContains(t, err, "could not be removed here")
			require.NotEqual(t, first.IdempotencyKey, second.IdempotencyKey)
		})
	}
}

func TestWorkEndsWhereTheConsumerIsGone(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	require.NoError(t, streams(t, q).DeleteConsumer(t.Context(), q.Name(), "workers"))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorIs(t, q.Work(ctx, newClient(t, server), 1), jetstream.ErrConsumerNotFound)
}

func TestNotificationsAsLargeAsCanBe(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	var log book
	q := newQueue(t, queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	const n, overhead = 10, 200
	large := whop.Message{Title: "T", Content: strings.Repeat("x", 8<<20-16<<10-overhead)}
	server.Script(whoptest.Error(422, "", strings.Repeat("No.", 1000)))
	enqueue(t, q, whop.ToCompany("biz_1", large))
	large.Content = large.Content[:1<<20]
	for range n {
		enqueue(t, q, whop.ToCompany("biz_1", large))
	}
	work(t, q, newClient(t, server), 1)
	work(t, q, newClient(t, server), 8)
	eventually(t, q, queue.Stats{Dead: 1, Sent: n})
	require.Len(t, server.Requests(), n+1, "none came twice")
	slow := strings.Count(log.String(), "does not answer, connecting anew") // on a busy machine
	require.EqualValues(t, slow, embeddedConn(t, q).Stats().Reconnects, "no connection was cut off for its size")
}

// An absurdly long Retry-After is a long wait, not none, and does not hold up others forever.
func TestAWaitBeyondMeasure(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", "Busy").WithHeader("Retry-After", "99999999999"))
	events := make(chan queue.Event, 10)
	q := newQueue(t, queue.WithObserver(func(_ context.Context, e queue.Event) { events <- e }))
	enqueue(t, q, numbered(1))
	work(t, q, newClient(t, server), 1)
	e := <-events
	require.Greater(t, e.RetryIn, 23*time.Hour)
	require.Less(t, e.RetryIn, 25*time.Hour)
	enqueue(t, q, numbered(2))
	eventually(t, q, queue.Stats{Retrying: 1, Sent: 1})
	require.Len(t, server.Requests(), 2)
}
