package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Steps that break off half way. A user who lacks the right for a step is as one whose program
// was killed before it.

// twoUsers opens one queue for a user with all rights, and for one who may not publish to some
// subjects.
func twoUsers(t *testing.T, opts []queue.Option, denied ...string) (all, less *queue.Queue) {
	t.Helper()
	s := listening(t, func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "all", Password: "p"},
			{Username: "less", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: denied}}},
		}
	})
	as := func(user string) *queue.Queue {
		nc, err := nats.Connect(s.ClientURL(), nats.UserInfo(user, "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return open(t, nc, append(opts, queue.WithDrainTimeout(time.Second))...)
	}
	return as("all"), as("less")
}

// redelivery is more than the time after which the server gives out again what was not
// acknowledged.
const redelivery = 13 * time.Second

// put stores a message by hand.
func put(t *testing.T, q *queue.Queue, subject, data string, header ...string) {
	t.Helper()
	m := nats.NewMsg(subject)
	m.Data = []byte(data)
	for i := 0; i < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	_, err := streams(t, q).PublishMsg(t.Context(), m)
	require.NoError(t, err)
}

// begunBy is the record that a delivery began now.
func begunBy(who string) string {
	return fmt.Sprintf(`{"by":%q,"at":%q}`, who, time.Now().Format(time.RFC3339Nano))
}

const onRetries, onLine, onDead = "$JS.ACK.whop-notify-retry.>", "$JS.ACK.whop-notify.>", "$JS.API.STREAM.MSG.DELETE.whop-notify-dead"

// A next try that was settled is not made again where only its acknowledgement was lost.
func TestASettledRetryIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second whoptest.Reply
		until  func(queue.Stats) bool
	}{
		"given_up":    {whoptest.Error(422, "", "No."), func(s queue.Stats) bool { return s.Dead == 1 }},
		"rescheduled": {whoptest.Error(503, "", "Busy.").WithHeader("Retry-After", "3000"), func(s queue.Stats) bool { return s.Retrying == 1 && s.InFlight == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stub := whoptest.NewServer(t)
			stub.Script(whoptest.Error(503, "", "Busy.").WithHeader("Retry-After", "1"), c.second)
			all, less := twoUsers(t, nil, onRetries)
			enqueue(t, all, numbered(1))
			work(t, less, newClient(t, stub, once), 1)
			require.True(t, waitFor(func() bool { return len(stub.Requests()) == 2 && c.until(counts(t, all)) }))
			time.Sleep(redelivery)
			require.Len(t, stub.Requests(), 2)
			require.True(t, c.until(counts(t, all)))
		})
	}
}

// retriedHalfWay returns the queue of a dead letter that Retry put back, and could not remove; less may not
// remove it either.
func retriedHalfWay(t *testing.T, stub *whoptest.Server) (all, less *queue.Queue, letter queue.DeadLetter) {
	t.Helper()
	all, less = twoUsers(t, nil, onDead)
	enqueue(t, all, numbered(1))
	stop := work(t, all, newClient(t, stub, once), 1)
	eventually(t, all, queue.Stats{Dead: 1})
	require.NoError(t, stop())
	letter = graveyard(t, all)[0]
	_, err := less.Retry(t.Context(), letter.ID, false)
	require.ErrorContains(t, err, "is in the queue again, but could not be removed here")
	return all, less, letter
}

// What Retry put back and could not take out of the dead letters is not there twice.
func TestAWorkerEndsARetryThatBrokeOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second whoptest.Reply
		want   queue.Stats
	}{
		"sent":           {whoptest.Serve(), queue.Stats{Sent: 1}},
		"given_up_again": {whoptest.Error(422, "", "No."), queue.Stats{Dead: 1}},
		"tried_again":    {whoptest.Error(503, "", "Busy.").WithHeader("Retry-After", "3000"), queue.Stats{Retrying: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stub := whoptest.NewServer(t)
			stub.Script(whoptest.Error(422, "", "No."), c.second)
			all, _, letter := retriedHalfWay(t, stub)
			work(t, all, newClient(t, stub, once), 1)
			require.True(t, waitFor(func() bool { return len(stub.Requests()) == 2 }))
			eventually(t, all, c.want)
			require.Len(t, stub.Requests(), 2)
			_, err := all.Retry(t.Context(), letter.ID, false)
			require.ErrorIs(t, err, queue.ErrNoDeadLetter)
			for _, letter := range graveyard(t, all) {
				require.Equal(t, 3, letter.Deliveries)
			}
		})
	}
}

// A letter that is under way and could not be removed cannot be dropped, as if that kept it from
// being sent.
func TestALetterThatIsUnderWayIsNotDropped(t *testing.T) {
	t.Parallel()
	stub := whoptest.NewServer(t)
	stub.Script(whoptest.Error(422, "", "No."), whoptest.Serve())
	all, less, letter := retriedHalfWay(t, stub)
	work(t, less, newClient(t, stub, once), 1)
	require.True(t, waitFor(func() bool { return len(stub.Queued()) == 1 }))
	time.Sleep(4 * time.Second) // after which a record would be gone
	require.ErrorIs(t, all.Drop(t.Context(), letter.ID), queue.ErrUnderWay)
	require.Len(t, graveyard(t, all), 1)
}

// Drop holds also what a Retry put back before it broke off.
func TestADropAfterARetryThatBrokeOff(t *testing.T) {
	t.Parallel()
	stub := whoptest.NewServer(t)
	stub.Script(whoptest.Error(422, "", "No."))
	all, _, letter := retriedHalfWay(t, stub)
	require.NoError(t, all.Drop(t.Context(), letter.ID))
	work(t, all, newClient(t, stub, once), 1)
	enqueue(t, all, numbered(2))
	eventually(t, all, queue.Stats{Sent: 1})
	require.Len(t, stub.Requests(), 2)
	found, err := all.Find(t.Context(), "invoice-1")
	require.NoError(t, err)
	require.Equal(t, queue.Canceled, found.State)
}

// A Drop that broke off is one all the same.
func TestARetryAfterADropThatBrokeOff(t *testing.T) {
	t.Parallel()
	stub, _, q, letter := buried(t, numbered(1), whoptest.Error(422, "", "No."))
	put(t, q, "whop-notify.begun.1.2", begunBy("canceled"))
	_, err := q.Retry(t.Context(), letter.ID, false)
	require.ErrorIs(t, err, queue.ErrNoDeadLetter)
	require.Empty(t, graveyard(t, q))
	eventually(t, q, queue.Stats{})
	require.Len(t, stub.Requests(), 1)
}

// Two workers can have the same delivery. What one of them could not know is not lost where the
// other was first.
func TestTheDoubtOfOneOfTwoWorkersStays(t *testing.T) {
	t.Parallel()
	body, err := numbered(1).MarshalJSON()
	require.NoError(t, err)
	header := []string{"Whop-Idempotency-Key", "invoice-1", "Whop-Id", "1", "Whop-Deliveries", "1", "Whop-Reason", "No."}
	for name, c := range map[string]struct {
		replies []whoptest.Reply
		other   func(*testing.T, *queue.Queue)
	}{
		"it_tried_again": {
			[]whoptest.Reply{whoptest.Reset().AfterQueueing(), whoptest.Error(422, "", "No.")},
			func(t *testing.T, q *queue.Queue) {
				put(t, q, "whop-notify.later.1", string(body), append(header, jetstream.MsgIDHeader, "1.1",
					jetstream.ScheduleTargetHeader, "whop-notify.due.1",
					jetstream.ScheduleHeader, "@at "+time.Now().Add(3*time.Second).UTC().Format(time.RFC3339Nano))...)
			},
		},
		"it_gave_up": {
			[]whoptest.Reply{whoptest.Error(500, "", "No.").WithHeader("X-Should-Retry", "false")},
			func(t *testing.T, q *queue.Queue) {
				put(t, q, "whop-notify.dead.1", string(body), append(header, "Whop-Outcome", whop.Rejected.String())...)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stub := whoptest.NewServer(t)
			stub.Script(c.replies...)
			q := newQueue(t)
			enqueue(t, q, numbered(1))
			c.other(t, q)
			work(t, q, newClient(t, stub, once), 1)
			require.True(t, waitFor(func() bool {
				letters := graveyard(t, q)
				return len(letters) == 1 && letters[0].Outcome == whop.Unknown && !letters[0].FirstAttempt.IsZero()
			}))
			require.Len(t, stub.Requests(), len(c.replies))
			eventually(t, q, queue.Stats{Dead: 1})
		})
	}
}

// What a worker puts aside until its time was not attempted, also where it broke off.
func TestPuttingAsideIsNoAttempt(t *testing.T) {
	t.Parallel()
	t.Run("cancel_after_a_lost_acknowledgement", func(t *testing.T) {
		t.Parallel()
		stub := whoptest.NewServer(t)
		all, less := twoUsers(t, nil, onLine)
		_, err := all.Enqueue(t.Context(), numbered(1), queue.NotBefore(time.Now().Add(12*time.Second)))
		require.NoError(t, err)
		work(t, less, newClient(t, stub, once), 1)
		require.True(t, waitFor(func() bool { return counts(t, all).Retrying == 1 }))
		require.NoError(t, all.Cancel(t.Context(), "invoice-1"))
		time.Sleep(redelivery)
		require.Empty(t, stub.Requests())
	})
	t.Run("sent_after_a_lost_acknowledgement", func(t *testing.T) {
		t.Parallel()
		stub := whoptest.NewServer(t)
		all, less := twoUsers(t, nil, onLine)
		_, err := all.Enqueue(t.Context(), numbered(1), queue.NotBefore(time.Now().Add(2*time.Second)))
		require.NoError(t, err)
		work(t, less, newClient(t, stub, once), 1)
		require.True(t, waitFor(func() bool { return len(stub.Queued()) == 1 }))
		time.Sleep(redelivery)
		require.Len(t, stub.Requests(), 1)
	})
	t.Run("cancel_after_a_record", func(t *testing.T) {
		t.Parallel()
		stub := whoptest.NewServer(t)
		q := newQueue(t)
		_, err := q.Enqueue(t.Context(), numbered(1), queue.NotBefore(time.Now().Add(time.Hour)))
		require.NoError(t, err)
		put(t, q, "whop-notify.begun.1.0", begunBy("a worker that was killed"))
		require.NoError(t, q.Cancel(t.Context(), "invoice-1"))
		work(t, q, newClient(t, stub), 1)
		eventually(t, q, queue.Stats{})
	})
	t.Run("refused_after_a_record", func(t *testing.T) {
		t.Parallel()
		stub := whoptest.NewServer(t)
		stub.Script(whoptest.Error(422, "", "No."))
		q := newQueue(t)
		due := time.Now().Add(5 * time.Second)
		_, err := q.Enqueue(t.Context(), numbered(1), queue.NotBefore(due))
		require.NoError(t, err)
		put(t, q, "whop-notify.begun.1.0", begunBy("a worker that was killed"))
		time.Sleep(time.Until(due))
		work(t, q, newClient(t, stub), 1)
		eventually(t, q, queue.Stats{Dead: 1})
		require.Equal(t, whop.Rejected, graveyard(t, q)[0].Outcome)
	})
}

// A worker whose clock is behind sends nothing early, and does not take it again and again.
func TestAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	const behind = 4 * time.Second
	stub := whoptest.NewServer(t)
	q := newQueue(t, queue.WithClock(func() time.Time { return time.Now().Add(-behind) }))
	due := time.Now().Add(2 * time.Second)
	_, err := q.Enqueue(t.Context(), numbered(1), queue.NotBefore(due))
	require.NoError(t, err)
	work(t, q, newClient(t, stub), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.False(t, stub.Queued()[0].Time.Before(due.Add(behind)))
	retries, err := streams(t, q).Consumer(t.Context(), "whop-notify-retry", "retries")
	require.NoError(t, err)
	require.LessOrEqual(t, retries.CachedInfo().Delivered.Consumer, uint64(3))
}
