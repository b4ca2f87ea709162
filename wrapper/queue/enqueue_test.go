package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestAKeyIsEnqueuedOnce(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	dir := t.TempDir()
	nc, stop, err := queue.Embedded(dir)
	require.NoError(t, err)
	q := open(t, nc)
	require.False(t, enqueue(t, q, numbered(1)).Duplicate)
	require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-1", Duplicate: true}, enqueue(t, q, numbered(1)), "while it waits")

	stopWork := work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.NoError(t, stopWork())
	require.True(t, enqueue(t, q, numbered(1)).Duplicate, "after it was sent")
	require.NoError(t, stop())

	q = open(t, embedded(t, dir))
	require.True(t, enqueue(t, q, numbered(1)).Duplicate, "after it was sent and the server restarted")
	work(t, q, newClient(t, server), 1)
	enqueue(t, q, numbered(2))
	eventually(t, q, queue.Stats{Sent: 2})
	require.Len(t, server.Requests(), 2)
}

// Without an error, another notification under a taken key would be dropped in silence.
func TestAKeyThatIsTakenByAnotherNotificationIsAnError(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	enqueue(t, q, numbered(1))
	_, err := q.Enqueue(t.Context(), numbered(2).WithIdempotencyKey("invoice-1"))
	require.ErrorIs(t, err, whop.ErrIdempotencyMismatch)
	require.ErrorContains(t, err, `"invoice-1"`)
	eventually(t, q, queue.Stats{Waiting: 1})
}

func TestWithoutAKeyEachGetsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	first, second := enqueue(t, q, paid), enqueue(t, q, paid)
	require.NotEqual(t, first.IdempotencyKey, second.IdempotencyKey)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 2})
	require.Equal(t, first.IdempotencyKey, server.Queued()[0].IdempotencyKey)
	require.Equal(t, second.IdempotencyKey, server.Queued()[1].IdempotencyKey)
}

func TestWhatIsInvalidIsNotEnqueued(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	for _, n := range []whop.Notification{{}, paid.OnlyUsers(), paid.WithIdempotencyKey("")} {
		_, err := q.Enqueue(t.Context(), n)
		require.ErrorIs(t, err, whop.ErrInvalidNotification)
	}
	stats := counts(t, q)
	require.Zero(t, stats)
}

func TestANotificationTooLargeForTheServerIsNamedSo(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	_, err := q.Enqueue(t.Context(), whop.ToCompany("biz_1", whop.Message{Title: "T", Content: strings.Repeat("x", 9<<20)}))
	require.ErrorIs(t, err, nats.ErrMaxPayload)
	require.ErrorContains(t, err, "up to 8372224 can be enqueued")
}

// A notification to very many users is large, and must pass.
func TestANotificationToManyUsers(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	ids := make([]string, 100_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("user_%014d", i)
	}
	enqueue(t, q, paid.OnlyUsers(ids...))
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	want, err := paid.OnlyUsers(ids...).MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, string(want), string(server.Queued()[0].Body))
}

// EnqueueAll holds no more than 64 MiB of notifications.
func TestEnqueueAllHoldsABoundedWindow(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	large := whop.Message{Title: "T", Content: strings.Repeat("x", 6<<20)}
	pulled := 0
	for _, err := range q.EnqueueAll(t.Context(), func(yield func(whop.Notification) bool) {
		for range 20 {
			pulled++
			if !yield(whop.ToCompany("biz_1", large)) {
				return
			}
		}
	}) {
		require.NoError(t, err)
		break
	}
	require.LessOrEqual(t, pulled, 11)
}

func TestEnqueueAllGivesTicketsInOrder(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	const n = 250
	ns := make([]whop.Notification, n)
	for i := range ns {
		ns[i] = numbered(i)
	}
	ns[7] = whop.Notification{}
	ns[199] = numbered(3)
	i := 0
	for ticket, err := range q.EnqueueAll(t.Context(), slices.Values(ns)) {
		switch i {
		case 7:
			require.ErrorIs(t, err, whop.ErrInvalidNotification)
		case 199:
			require.NoError(t, err)
			require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-3", Duplicate: true}, ticket)
		default:
			require.NoError(t, err)
			require.Equal(t, queue.Ticket{IdempotencyKey: fmt.Sprintf("invoice-%d", i)}, ticket)
		}
		i++
	}
	require.Equal(t, n, i)
	work(t, q, newClient(t, server), 16)
	eventually(t, q, queue.Stats{Sent: n - 2})
	require.Len(t, server.Queued(), n-2)
}

func TestEnqueueAllEndsWhereTheCallerOrTheContextDoes(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	pulled := 0
	endless := func(yield func(whop.Notification) bool) {
		for yield(numbered(pulled)) {
			pulled++
		}
	}
	for _, err := range q.EnqueueAll(t.Context(), endless) {
		require.NoError(t, err)
		break
	}
	require.Less(t, pulled, 101)

	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("why")
	cancel(why)
	pulled = 0
	for _, err := range q.EnqueueAll(ctx, endless) {
		require.ErrorIs(t, err, why, "none is passed over in silence")
	}
	require.Less(t, pulled, 101)
	_, err := q.Enqueue(ctx, numbered(5000))
	require.ErrorIs(t, err, why)
}

func TestPositionIsThatOfTheLast(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	dir := t.TempDir()
	nc, stop, err := queue.Embedded(dir)
	require.NoError(t, err)
	q := open(t, nc)
	position, err := q.Position(t.Context())
	require.NoError(t, err)
	require.Zero(t, position)
	for i := 1; i <= 3; i++ {
		_, err := q.EnqueueAt(t.Context(), numbered(i), uint64(i))
		require.NoError(t, err)
	}
	enqueue(t, q, paid) // has none
	stopWork := work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 4})
	require.NoError(t, stopWork())
	require.NoError(t, stop())

	q = open(t, embedded(t, dir))
	position, err = q.Position(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, position)
	for at, duplicate := range map[uint64]bool{1: true, 3: true, 10: false} {
		ticket, err := q.EnqueueAt(t.Context(), numbered(3), at)
		require.NoError(t, err)
		require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-3", Duplicate: duplicate}, ticket, at)
	}

	_, err = q.EnqueueAt(t.Context(), paid, 0)
	require.ErrorContains(t, err, "begin with 1")
	_, err = q.EnqueueAt(t.Context(), paid.OnlyUsers(), 11)
	require.ErrorIs(t, err, whop.ErrInvalidNotification)
}

// Two producers would each mistake the other's positions for their own.
func TestPositionsAreForOneProducer(t *testing.T) {
	t.Parallel()
	nc := embedded(t, t.TempDir())
	one, other := open(t, nc), open(t, nc)
	_, err := one.EnqueueAt(t.Context(), numbered(1), 1)
	require.NoError(t, err)
	_, err = other.EnqueueAt(t.Context(), numbered(2), 2)
	require.NoError(t, err)
	_, err = one.EnqueueAt(t.Context(), numbered(3), 2)
	require.ErrorContains(t, err, "wrong last sequence")
	ticket, err := one.EnqueueAt(t.Context(), numbered(3), 2)
	require.NoError(t, err)
	require.True(t, ticket.Duplicate, "now it knows")
	eventually(t, one, queue.Stats{Waiting: 2})
}

// Who passes thousands learns which are certainly not in the queue.
func TestEnqueueAllAfterItsContextHasEnded(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pulled, results := 0, 0
	for ticket, err := range q.EnqueueAll(ctx, func(yield func(whop.Notification) bool) {
		for i := range 500 {
			if pulled++; !yield(numbered(i)) {
				return
			}
		}
	}) {
		require.Equal(t, fmt.Sprintf("invoice-%d", results), ticket.IdempotencyKey)
		if results++; results == 100 {
			cancel()
		}
		if results <= 100 {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, queue.ErrNotEnqueued)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "nor is any after it")
	}
	require.Equal(t, 101, results)
	require.Equal(t, 101, pulled)
	eventually(t, q, queue.Stats{Waiting: 100})
}

// A look at the position that fails says nothing about it.
func TestEnqueueAtAfterAPositionThatCouldNotBeRead(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	_, err := q.EnqueueAt(t.Context(), numbered(1), 1)
	require.NoError(t, err)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
		_, _ = q.Position(ctx)
		cancel()
		ticket, err := q.EnqueueAt(t.Context(), numbered(i+2), uint64(i+2))
		require.NoError(t, err)
		require.False(t, ticket.Duplicate)
	}
}

// Nothing is looked up for a position that is behind: its ticket has the caller's key, or none.
func TestTheTicketOfAPositionThatIsBehind(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	_, err := q.EnqueueAt(t.Context(), paid, 1)
	require.NoError(t, err)
	for _, n := range []whop.Notification{paid, numbered(1)} {
		ticket, err := q.EnqueueAt(t.Context(), n, 1)
		require.NoError(t, err)
		require.Equal(t, queue.Ticket{IdempotencyKey: n.IdempotencyKey(), Duplicate: true}, ticket)
	}
}
