package queue_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// listening starts a separate server on a port, with JetStream unless change turns it off.
func listening(t testing.TB, change func(*server.Options)) *server.Server {
	t.Helper()
	opts := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, NoLog: true, NoSigs: true}
	if change != nil {
		change(opts)
	}
	s, err := server.NewServer(opts)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(patience))
	return s
}

// wire is a proxy that can hold back everything, like a network that drops packets.
type wire struct {
	url string

	mu   sync.Mutex
	held chan struct{} // closed when the wire is whole again; nil: it is
}

func newWire(t testing.TB, s *server.Server) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &wire{url: "nats://" + l.Addr().String()}
	var running sync.WaitGroup
	var conns sync.Map
	running.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", s.Addr().String())
			if err != nil {
				_ = from.Close()
				continue
			}
			for _, c := range []net.Conn{from, to} {
				conns.Store(c, true)
			}
			running.Go(func() { w.copy(to, from) })
			running.Go(func() { w.copy(from, to) })
		}
	})
	t.Cleanup(func() {
		w.mend()
		_ = l.Close()
		conns.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		running.Wait()
	})
	return w
}

func (w *wire) copy(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		w.mu.Lock()
		held := w.held
		w.mu.Unlock()
		if held != nil {
			<-held
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = make(chan struct{})
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held != nil {
		close(w.held)
		w.held = nil
	}
}

// If the network drops everything for a while, a worker continues after it, and sends nothing
// twice.
func TestAWorkerThatIsCutOffGoesOn(t *testing.T) {
	t.Parallel()
	stub := whoptest.NewServer(t)
	nats := listening(t, nil)
	far := newWire(t, nats)
	near := open(t, connect(t, nats.ClientURL()))
	q := open(t, connect(t, far.url))
	work(t, q, newClient(t, stub), 4)
	n := 0
	enqueueFor := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			enqueue(t, near, numbered(n))
			n++
		}
	}
	enqueueFor(time.Second)
	far.cut()
	enqueueFor(8 * time.Second)
	far.mend()
	start := time.Now()
	require.True(t, waitFor(func() bool {
		requests := stub.Requests()
		return len(requests) > 0 && requests[len(requests)-1].Time.After(start)
	}))
	require.Less(t, time.Since(start), 10*time.Second)
	t.Logf("it goes on after %.1f s", time.Since(start).Seconds())
	eventually(t, near, queue.Stats{Sent: n})
	require.Len(t, stub.Queued(), n)
}

// While NATS does not answer, an attempt still ends, Enqueue returns an error, and Work returns
// within the drain timeout.
func TestNothingWaitsForNATSWithoutEnd(t *testing.T) {
	t.Parallel()
	stub := whoptest.NewServer(t)
	nats := listening(t, nil)
	far := newWire(t, nats)
	const drain = 3 * time.Second
	q := open(t, connect(t, far.url), queue.WithDrainTimeout(drain))
	for i := range 20 {
		enqueue(t, q, numbered(i))
	}
	stop := work(t, q, newClient(t, stub, once), 4)
	require.True(t, waitFor(func() bool { return len(stub.Queued()) > 3 }))
	far.cut()
	ctx := t.Context()
	for name, ask := range map[string]func() error{
		"Stats":   func() error { _, err := q.Stats(ctx); return err },
		"Dead":    func() error { _, err := q.DeadLetter(ctx, 1); return err },
		"Limiter": func() error { return q.Limiter(600).Wait(ctx) },
		"Limiter, many at once": func() error {
			limiter := q.Limiter(600)
			var waiting sync.WaitGroup
			errs := make([]error, 16)
			for i := range errs {
				waiting.Go(func() { errs[i] = limiter.Wait(ctx) })
			}
			waiting.Wait()
			return errors.Join(errs...)
		},
		"Position behind another": func() error {
			var waiting sync.WaitGroup
			defer waiting.Wait()
			waiting.Go(func() {
				long, cancel := context.WithTimeout(ctx, 8*time.Second)
				defer cancel()
				_, _ = q.EnqueueAt(long, numbered(99), 1)
			})
			time.Sleep(100 * time.Millisecond)
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := q.Position(short)
			assert.Less(t, time.Since(start), 2*time.Second)
			return err
		},
	} {
		start := time.Now()
		require.Error(t, ask(), name)
		require.Less(t, time.Since(start), 12*time.Second, name)
	}
	start := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(start), drain+2*time.Second)
}

// While NATS is away, an enqueuer tries until its deadline, which covers a whole window. Its key
// identifies a notification that was stored just before.
func TestEnqueueingWhileNATSIsAway(t *testing.T) {
	t.Parallel()
	nats := listening(t, nil)
	far := newWire(t, nats)
	near, q := open(t, connect(t, nats.ClientURL())), open(t, connect(t, far.url))
	enqueueAll := func(patience time.Duration) (failed int) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for _, err := range q.EnqueueAll(ctx, func(yield func(whop.Notification) bool) {
			for i := range 100 {
				if !yield(numbered(i)) {
					return
				}
			}
		}) {
			if err != nil {
				require.NotErrorIs(t, err, queue.ErrNotEnqueued, "they may have gone through")
				failed++
			}
		}
		return failed
	}
	far.cut()
	start := time.Now()
	require.Equal(t, 100, enqueueAll(3*time.Second))
	require.Less(t, time.Since(start), 10*time.Second)
	time.AfterFunc(4*time.Second, far.mend)
	require.Zero(t, enqueueAll(time.Minute))
	eventually(t, near, queue.Stats{Waiting: 100})
}

// A notification that the server refuses is certainly not in the queue.
func TestARefusalOfTheServerIsCertain(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	js := streams(t, q)
	line, err := js.Stream(t.Context(), q.Name())
	require.NoError(t, err)
	config := line.CachedInfo().Config
	config.MaxMsgs = 1
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	enqueue(t, q, numbered(0))
	_, err = q.Enqueue(t.Context(), numbered(1))
	require.ErrorIs(t, err, queue.ErrNotEnqueued)
	_, err = q.EnqueueAt(t.Context(), numbered(2), 1)
	require.ErrorIs(t, err, queue.ErrNotEnqueued)
	for _, err := range q.EnqueueAll(t.Context(), func(yield func(whop.Notification) bool) { yield(numbered(3)) }) {
		require.ErrorIs(t, err, queue.ErrNotEnqueued)
	}
	eventually(t, q, queue.Stats{Waiting: 1})
}
