package queue_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// clock is a clock for the queue and for Whop that can be moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) putOn(d time.Duration) { c.ahead.Add(int64(d)) }

// attemptedOnce leaves a notification in the queue that Whop has queued, but the worker died
// before it learned that.
func attemptedOnce(t *testing.T, server *whoptest.Server, q *queue.Queue, n whop.Notification) {
	t.Helper()
	before := len(server.Requests())
	server.Script(whoptest.Stall().AfterQueueing())
	enqueue(t, q, n)
	stop := work(t, q, newClient(t, server), 1)
	require.True(t, waitFor(func() bool { return len(server.Requests()) == before+1 }))
	require.NoError(t, stop())
}

// agedQueue returns a queue and a Whop on one clock.
func agedQueue(t *testing.T, dir string) (*whoptest.Server, *clock, *queue.Queue) {
	t.Helper()
	var c clock
	server := whoptest.NewServer(t)
	server.SetClock(c.now)
	return server, &c, open(t, embedded(t, dir), queue.WithClock(c.now), queue.WithDrainTimeout(0))
}

func TestARedeliveryWithin23HoursIsSentAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	attemptedOnce(t, server, q, numbered(1))
	c.putOn(22*time.Hour + 30*time.Minute)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Requests(), 2)
	require.Len(t, server.Queued(), 1)
}

func TestARedeliveryAfter23HoursIsADeadLetter(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	attemptedOnce(t, server, q, numbered(1))
	attempted := c.now()
	c.putOn(23*time.Hour + time.Minute)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	require.Len(t, server.Requests(), 1, "not attempted again")
	letter := graveyard(t, q)[0]
	require.Equal(t, whop.Unknown, letter.Outcome)
	require.Contains(t, letter.Reason, "may have been queued at Whop since")
	require.WithinDuration(t, attempted, letter.FirstAttempt, time.Minute)
}

// Only attempts that may have reached Whop count. A notification that waited for days, like
// one of a large batch, or that met only 429s, is sent.
func TestWhatWaitedLongAndIsNotInDoubtIsSent(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.RateLimited(time.Second) })
	enqueue(t, q, numbered(1))
	stop := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Retrying: 1})
	require.NoError(t, stop())
	const n = 50
	for i := range n {
		enqueue(t, q, numbered(i+2))
	}
	c.putOn(5 * 24 * time.Hour)
	server.ScriptFunc(nil)
	work(t, q, newClient(t, server), 4)
	eventually(t, q, queue.Stats{Sent: n + 1})
	require.Len(t, server.Queued(), n+1)
}

// A killed server may forget its deliveries. The records of the attempts survive.
func TestTheAgeOfAKeyOutlivesTheServersMemoryOfDeliveries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, c, q := agedQueue(t, dir)
	attemptedOnce(t, server, q, numbered(1))
	nc := embeddedConn(t, q)
	require.NoError(t, streams(t, q).DeleteConsumer(t.Context(), q.Name(), "workers"))
	q = open(t, nc, queue.WithClock(c.now))
	c.putOn(25 * time.Hour)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	require.Len(t, server.Queued(), 1)
	require.Len(t, server.Requests(), 1)
}

// Another worker recorded that it began.
func TestTheAgeOfAKeyIsKnownToOtherWorkers(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	other := open(t, embeddedConn(t, q), queue.WithClock(c.now), queue.WithDrainTimeout(0))
	attemptedOnce(t, server, q, numbered(1))
	c.putOn(23*time.Hour + time.Minute)
	work(t, other, newClient(t, server), 1)
	eventually(t, other, queue.Stats{Dead: 1})
	require.Len(t, server.Requests(), 1)
}

func TestWhatIsDoneIsDroppedAfterADay(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	for i := range 10 {
		_, err := q.EnqueueAt(t.Context(), numbered(i), uint64(i+1))
		require.NoError(t, err)
	}
	enqueue(t, q, paid)
	stop := work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 11})
	require.NoError(t, stop())
	js := streams(t, q)
	kept := func() int {
		stream, err := js.Stream(t.Context(), q.Name())
		require.NoError(t, err)
		return int(stream.CachedInfo().State.Msgs)
	}

	c.putOn(24 * time.Hour)
	stop = work(t, q, newClient(t, server), 1)
	time.Sleep(500 * time.Millisecond) // in which it would
	require.NoError(t, stop())
	require.Equal(t, 11, kept(), "keys are known for a day")

	c.putOn(2 * time.Hour)
	stop = work(t, q, newClient(t, server), 1)
	require.True(t, waitFor(func() bool { return kept() == 1 }), "the last position stays")
	require.NoError(t, stop())
	position, err := q.Position(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 10, position)
	eventually(t, q, queue.Stats{Sent: 11})
}

// What another publisher puts there does not make the last position disappear.
func TestThePositionOutlivesWhatComesAfterIt(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	_, err := q.EnqueueAt(t.Context(), numbered(1), 1)
	require.NoError(t, err)
	_, err = q.EnqueueAt(t.Context(), numbered(2), 2)
	require.NoError(t, err)
	body, err := numbered(3).MarshalJSON()
	require.NoError(t, err)
	put(t, q, "whop-notify.send.numbered", string(body), jetstream.MsgIDHeader, "from elsewhere")
	enqueue(t, q, numbered(4))
	stop := work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 4})
	require.NoError(t, stop())
	c.putOn(26 * time.Hour)
	work(t, q, newClient(t, server), 1)
	line, err := streams(t, q).Stream(t.Context(), "whop-notify")
	require.NoError(t, err)
	require.True(t, waitFor(func() bool {
		info, err := line.Info(t.Context())
		return err == nil && info.State.Msgs <= 3
	}), "the plain one has gone")
	position, err := q.Position(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, position)
}

// Those that were canceled leave holes in the line. What is young stays all the same.
func TestHolesInTheLine(t *testing.T) {
	t.Parallel()
	server, c, q := agedQueue(t, t.TempDir())
	for i := range 3 {
		enqueue(t, q, numbered(i))
	}
	middle := time.Now()
	time.Sleep(5 * time.Second) // within which the worker must begin below
	for i := range 9 {
		enqueue(t, q, numbered(i+3))
	}
	for i := range 7 {
		require.NoError(t, q.Cancel(t.Context(), numbered(i+4).IdempotencyKey()))
	}
	stop := work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 5})
	require.NoError(t, stop())
	c.putOn(25*time.Hour - time.Since(middle))
	stop = work(t, q, newClient(t, server), 1)
	line, err := streams(t, q).Stream(t.Context(), "whop-notify")
	require.NoError(t, err)
	kept := func() int {
		info, err := line.Info(t.Context())
		require.NoError(t, err)
		return int(info.State.Msgs)
	}
	require.True(t, waitFor(func() bool { return kept() <= 2 }))
	require.NoError(t, stop())
	require.Equal(t, 2, kept())
}
