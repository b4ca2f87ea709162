package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	defaultConcurrency = 16
	fetchWait          = 5 * time.Second
	pruneInterval      = 10 * time.Minute

	// prefetch is how many times the concurrency a worker takes from the server: what is
	// not being sent yet waits for a sender, so that none has to wait for the server. It
	// asks for more once half of that is settled.
	prefetch = 8
	// fetchBytes is how much it takes at a time, so that large ones are at hand before the
	// server believes them lost.
	fetchBytes = 32 << 20
)

// Work sends what is in the queue by c, up to concurrency at a time (under 1 means 16),
// until ctx ends. Then it takes no more, lets attempts that are under way come to their end
// (see [WithDrainTimeout]), gives the rest back, and returns nil. Any number of processes may work
// on one queue, and be killed: what one of them had goes to another, or to itself after it
// is started again, 10 s later.
//
// It returns an error where to go on makes no sense: where Whop refuses every request for
// its API key or the address ([whop.ErrUnauthorized], [whop.ErrRedirect]), where the
// connection or the queue is gone for good, and at once where the [whop.RetryPolicy] of c
// has AtMostOnce, which a queue that gives a notification out again cannot keep. In each case
// the notifications stay in the queue. A server that is away for a while is waited for, for
// as long as the connection tries: nats.MaxReconnects(-1) lets it go on.
//
// c paces itself alone. For a common pace of several processes give it [Queue.Limiter] by
// [whop.WithLimiter].
func (q *Queue) Work(ctx context.Context, c *whop.Client, concurrency int) error {
	if c == nil {
		return errors.New("queue: Work: the client is nil")
	}
	if c.RetryPolicy().AtMostOnce {
		return errors.New("queue: Work: the client's RetryPolicy has AtMostOnce, but a queue gives a notification out again after a crash")
	}
	if concurrency < 1 {
		concurrency = defaultConcurrency
	}
	w := &worker{
		Queue:  q,
		client: c,
		brake:  brake{threshold: concurrency},
		slots:  make(chan struct{}, prefetch*concurrency),
		jobs:   make(chan *delivery, prefetch*concurrency),
		held:   map[*delivery]struct{}{},
	}
	ctx, w.stop = context.WithCancelCause(ctx)
	defer w.stop(nil)
	w.lookBack(ctx)
	sending, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), endingKey{}, ctx.Done()))
	defer cancel()

	var senders, upkeep sync.WaitGroup
	for range concurrency {
		senders.Go(func() { w.sendAll(ctx, sending) })
	}
	upkeep.Go(func() { w.keepHeld(sending) })
	upkeep.Go(func() { w.keepSmall(ctx) })
	w.fetchAll(ctx)
	close(w.jobs)
	drained := time.AfterFunc(q.drain, cancel)
	senders.Wait()
	drained.Stop()
	cancel()
	upkeep.Wait()
	w.flush()
	if cause := context.Cause(ctx); errors.Is(cause, errStopped) {
		return cause
	}
	return nil
}

// errStopped marks a cause for which Work returns an error.
var errStopped = errors.New("queue: the worker stopped")

// worker is one call of Work.
type worker struct {
	*Queue
	client *whop.Client
	stop   context.CancelCauseFunc
	brake  brake
	slots  chan struct{}  // taken by what was fetched and is not settled
	jobs   chan *delivery // of those, what waits for a sender

	seen atomic.Uint64 // the highest sequence number that may have been given out before

	mu        sync.Mutex
	held      map[*delivery]struct{}
	confirmed *delivery // one of the last
}

// lookBack finds out how far workers before this one may have come.
func (w *worker) lookBack(ctx context.Context) {
	for ctx.Err() == nil {
		highest, err := w.attempts.highest(ctx)
		switch {
		case err == nil:
			w.seen.Store(highest)
			return
		case w.js.Conn().IsClosed():
			w.stop(fmt.Errorf("%w: %w", errStopped, err))
		default:
			w.logger.WarnContext(ctx, "queue: the server does not say how far attempts came, will ask again", "error", err)
			sleep(ctx, time.Second)
		}
	}
}

// fetchAll takes notifications from the server as slots come free, until ctx ends.
func (w *worker) fetchAll(ctx context.Context) {
	for {
		if !w.brake.wait(ctx) {
			return
		}
		free := w.takeSlots(ctx, cap(w.slots)/2)
		if free == 0 {
			return
		}
		got, err := w.fetch(ctx, free)
		for range free - got {
			<-w.slots
		}
		if errors.Is(err, nats.ErrNoResponders) { // either JetStream is away, or the consumer is gone
			_, err = w.workers.Info(ctx)
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, jetstream.ErrConsumerDeleted),
			errors.Is(err, jetstream.ErrConsumerNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
			w.stop(fmt.Errorf("%w: %w", errStopped, err))
		default:
			w.logger.WarnContext(ctx, "queue: the server gives out no notifications, will ask again", "error", err)
			sleep(ctx, time.Second)
		}
	}
}

// takeSlots waits for at least the given number of slots, and takes what is free. It takes
// several at a time, since asking the server costs more than to send.
func (w *worker) takeSlots(ctx context.Context, atLeast int) (taken int) {
	for {
		select {
		case w.slots <- struct{}{}:
			if taken++; taken == cap(w.slots) {
				return taken
			}
			continue
		default:
		}
		if taken >= atLeast {
			return taken
		}
		select {
		case w.slots <- struct{}{}:
			taken++
		case <-ctx.Done():
			for range taken {
				<-w.slots
			}
			return 0
		}
	}
}

// fetch takes up to n notifications, and waits for the first a few seconds.
func (w *worker) fetch(ctx context.Context, n int) (got int, err error) {
	if ctx.Err() != nil {
		return 0, nil
	}
	fetching, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	most := max(fetchBytes, 2*w.js.Conn().MaxPayload()) // the largest always fits
	batch, err := w.workers.Fetch(n, jetstream.FetchContext(fetching), jetstream.FetchMaxBytes(int(most)))
	if err != nil {
		return 0, err
	}
	for msg := range batch.Messages() {
		d, err := w.receive(msg)
		if err != nil {
			w.logger.ErrorContext(ctx, "queue: a message that is none of the queue's", "error", err)
			continue
		}
		got++
		w.mu.Lock()
		w.held[d] = struct{}{}
		w.mu.Unlock()
		w.jobs <- d
	}
	if err := batch.Error(); err != nil && fetching.Err() == nil && !errors.Is(err, nats.ErrTimeout) {
		return got, err
	}
	return got, nil
}

// receive makes a delivery of a message.
func (w *worker) receive(msg jetstream.Msg) (*delivery, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return nil, err
	}
	d := &delivery{worker: w, msg: msg, seq: meta.Sequence.Stream, count: int(meta.NumDelivered), enqueued: meta.Timestamp}
	// The server counts deliveries, but forgets some when it is killed. Then it gives out
	// anew what comes before something that was given out already, as else it never does.
	seen := w.seen.Load()
	d.repeat = d.count > 1 || d.seq <= seen
	w.seen.Store(max(seen, d.seq))
	return d, nil
}

// sendAll sends what was fetched. What was not begun when ctx ended goes back at once.
func (w *worker) sendAll(ctx, sending context.Context) {
	fresh := firstAttempts{parent: sending, end: func() {}}
	defer func() { fresh.end() }()
	for d := range w.jobs {
		if w.brake.wait(ctx) {
			d.deliver(sending, fresh.context())
		} else {
			_ = d.msg.Nak()
		}
		w.mu.Lock()
		delete(w.held, d)
		if d.confirmed {
			w.confirmed = d
		}
		w.mu.Unlock()
		<-w.slots
	}
}

// firstAttempts makes the contexts of one sender for notifications that were never attempted
// before. They share one for a minute, since each has a timer, which costs.
type firstAttempts struct {
	parent, shared context.Context
	end            context.CancelFunc
	made           time.Time
}

func (f *firstAttempts) context() context.Context {
	if now := time.Now(); f.shared == nil || now.Sub(f.made) > time.Minute {
		f.end()
		f.shared, f.end = context.WithTimeout(f.parent, attemptTime)
		f.made = now
	}
	return f.shared
}

// keepHeld tells the server again and again that what was fetched is being worked on.
func (w *worker) keepHeld(ctx context.Context) {
	for sleep(ctx, ackWait/3) {
		w.mu.Lock()
		for d := range w.held {
			_ = d.msg.InProgress() // else it is given out again, under the same key
		}
		w.mu.Unlock()
	}
}

// keepSmall drops from the stream what is done and old.
func (w *worker) keepSmall(ctx context.Context) {
	for {
		if err := w.prune(ctx); err != nil && ctx.Err() == nil {
			w.logger.WarnContext(ctx, "queue: what is done could not be dropped, will try again", "error", err)
		}
		if !sleep(ctx, pruneInterval) {
			return
		}
	}
}

// flush brings the last acknowledgements to the server, and waits until it has counted them:
// it answers to a sign of life after what came before.
func (w *worker) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), fetchWait)
	defer cancel()
	_ = w.js.Conn().FlushWithContext(ctx) // else they are given out again, under the same key
	if w.confirmed != nil {
		_, _ = w.js.Conn().RequestWithContext(ctx, w.confirmed.msg.Reply(), []byte("+WPI"))
	}
}

// sleep waits, and reports whether ctx has not ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
