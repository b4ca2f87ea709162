package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

var paid = whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})

// numbered returns a notification with its own key and text.
func numbered(i int) whop.Notification {
	return whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: fmt.Sprintf("Invoice %d is paid", i)}).
		WithIdempotencyKey(fmt.Sprintf("invoice-%d", i))
}

// embedded starts a server that is stopped when the test ends.
func embedded(t testing.TB, dir string) *nats.Conn {
	t.Helper()
	nc, stop, err := queue.Embedded(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stop()) })
	return nc
}

// conns has the connection of every queue that open has opened.
var conns sync.Map

// embeddedConn returns the connection of a queue.
func embeddedConn(t testing.TB, q *queue.Queue) *nats.Conn {
	t.Helper()
	nc, _ := conns.Load(q)
	return nc.(*nats.Conn)
}

func open(t testing.TB, nc *nats.Conn, opts ...queue.Option) *queue.Queue {
	t.Helper()
	q, err := queue.Open(t.Context(), nc, opts...)
	require.NoError(t, err)
	conns.Store(q, nc)
	return q
}

// newQueue returns a queue for this test alone.
func newQueue(t testing.TB, opts ...queue.Option) *queue.Queue {
	t.Helper()
	return open(t, embedded(t, t.TempDir()), opts...)
}

// newClient sends to the server, unpaced and with few waits.
func newClient(t testing.TB, server *whoptest.Server, opts ...whop.Option) *whop.Client {
	t.Helper()
	c, err := whop.NewClient(append([]whop.Option{
		whop.WithBaseURL(server.URL()),
		whop.WithAPIKey(server.APIKey()),
		whop.WithLimiter(nil),
		whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: time.Microsecond, MaxDelay: time.Microsecond}),
	}, opts...)...)
	require.NoError(t, err)
	return c
}

// once turns off the client's retries, so that the queue must retry.
var once = whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1})

// work runs a worker until the function that it returns is called, or the test ends. That
// function returns Work's error.
func work(t testing.TB, q *queue.Queue, c *whop.Client, concurrency int) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var result error
	var working sync.WaitGroup
	working.Go(func() { result = q.Work(ctx, c, concurrency) })
	stop = func() error {
		cancel()
		working.Wait()
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func enqueue(t testing.TB, q *queue.Queue, n whop.Notification) queue.Ticket {
	t.Helper()
	ticket, err := q.Enqueue(t.Context(), n)
	require.NoError(t, err)
	return ticket
}

// A test looks again after each pause, for as long as its patience.
const patience, pause = 90 * time.Second, 25 * time.Millisecond

// eventually waits for the stats to be these, for as long as more are sent or die.
func eventually(t testing.TB, q *queue.Queue, want queue.Stats) {
	t.Helper()
	var have queue.Stats
	var err error
	done := 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		have, err = q.Stats(t.Context())
		have.Oldest, have.LastSuccess = 0, time.Time{}
		if err == nil && have == want { // an answer may be late on a busy machine
			return
		}
		if now := have.Sent + have.Dead; now > done {
			done, end = now, time.Now().Add(patience)
		}
	}
	require.NoError(t, err)
	require.Equal(t, want, have)
}

// counts returns the stats without the times.
func counts(t testing.TB, q *queue.Queue) queue.Stats {
	t.Helper()
	s, err := q.Stats(t.Context())
	require.NoError(t, err)
	s.Oldest, s.LastSuccess = 0, time.Time{}
	return s
}

// waitFor waits for a condition, and reports whether it came true.
func waitFor(condition func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pause) {
		if condition() {
			return true
		}
	}
	return false
}

// graveyard returns the dead letters.
func graveyard(t testing.TB, q *queue.Queue) (letters []queue.DeadLetter) {
	t.Helper()
	for letter, err := range q.Dead(t.Context()) {
		require.NoError(t, err)
		letters = append(letters, letter)
	}
	return letters
}

// book is a log for concurrent writers.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
