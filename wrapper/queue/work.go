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
	// fetchTime bounds a request for a notification. The server ends it a second earlier:
	// what it sent after that would be lost for ackWait.
	fetchTime = 10 * time.Second
	// fetchPulse is how often the server must send a heartbeat while nothing waits.
	fetchPulse = time.Second
	// attemptTime bounds one Send, with its waits for the limiter and its retries.
	attemptTime = 10 * time.Minute
	// holdTime bounds how long a worker may hold a notification, whatever it does.
	holdTime = attemptTime + time.Minute
)

// Work sends the queue's notifications through c, up to concurrency at a time (under 1 means
// 16), until ctx ends. Retries take up to a quarter of that, but at least one; with concurrency
// 1, one retry may run beside the one new notification. When ctx ends, Work takes no more
// notifications, lets the attempts in flight finish, returns the rest to the queue, and returns
// nil, all within [WithDrainTimeout]. Any number of processes may work on one queue, and be
// killed: after 10 s another process, or the same one restarted, takes over what the killed one
// held.
//
// It returns an error if continuing is pointless, and leaves the notifications in the queue:
//
//   - Whop refuses everything with 401, 403, 404, 405, 410 or a redirect: the API key, its
//     permissions or the base URL is wrong. There is one exception: if Whop accepted something
//     within the last hour, 403 and 404 for fewer than five targets are about those targets, and
//     their notifications become dead letters.
//   - The connection is closed, or the queue is deleted.
//   - The [whop.RetryPolicy] of c has AtMostOnce. Work then returns at once, because a queue
//     that redelivers cannot keep that promise.
//
// Work waits for a server that is away, for as long as the connection tries to reconnect: set
// nats.MaxReconnects(-1).
//
// c paces only its own process. To pace several processes together, pass [Queue.Limiter] to c
// with [whop.WithLimiter].
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
		queue:  q,
		client: c,
		brake:  brake{threshold: concurrency},
		slots:  make(chan struct{}, max(2, concurrency)),
	}
	ctx, w.stop = context.WithCancelCause(ctx)
	defer w.stop(nil)
	// settling ends when everything must have ended; sending ends a little earlier.
	settling, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	sending, cancel := context.WithCancel(context.WithValue(settling, endingKey{}, ctx.Done()))
	defer cancel()

	w.refusals.worked, _ = q.lastSuccess(ctx) // without it, refusals of all stop the worker
	w.ended = ctx
	w.look(ctx)
	for range concurrency {
		w.parts.Go(func() { w.serve(ctx, sending, settling, q.fresh, false) })
	}
	for range max(1, concurrency/4) {
		w.parts.Go(func() { w.serve(ctx, sending, settling, q.due, true) })
	}
	w.parts.Go(func() { w.keepUp(ctx) })
	w.parts.Go(func() { w.tidyUp(ctx) })
	ended := make(chan struct{})
	go func() { w.parts.Wait(); w.noteSuccess(settling); close(ended) }()
	<-ctx.Done()
	margin := min(q.drain/4, 2*time.Second)
	if !await(ended, q.drain-margin) {
		cancel()
		if !await(ended, margin) {
			abandon()
			await(ended, time.Second) // a call stuck in the caller's function is left behind
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, errStopped) {
		return cause
	}
	return nil
}

func await(ended <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

// errStopped marks a cause for which Work returns an error.
var errStopped = errors.New("queue: the worker stopped")

// worker is one call of Work.
type worker struct {
	queue  *Queue
	client *whop.Client
	stop   context.CancelCauseFunc
	slots  chan struct{} // one is taken while a notification is being sent

	brake    brake
	share    share
	refusals refusals
	success  atomic.Int64  // the last, in Unix nanoseconds; 0: noted
	floor    atomic.Uint64 // all of the line up to this number is settled
	clock    clock         // of look
	ahead    atomic.Int64  // how far the server's clock is ahead of this one, in nanoseconds
	warned   sometimes
	ended    context.Context
	parts    sync.WaitGroup
}

// serve sends a consumer's notifications one after the other, until ctx ends.
func (w *worker) serve(ctx, sending, settling context.Context, c jetstream.Consumer, retry bool) {
	for w.ready(ctx, retry) {
		msg, err := w.next(ctx, c)
		if err != nil {
			w.trouble(ctx, c, err)
		}
		if msg == nil {
			continue
		}
		h := &handling{worker: w, msg: msg, retry: retry}
		letGo := h.hold(settling)
		w.slots <- struct{}{}
		if ctx.Err() != nil {
			_ = msg.Nak()
		} else {
			h.deliver(sending, settling)
		}
		<-w.slots
		letGo()
	}
}

// ready waits until an attempt may be made.
func (w *worker) ready(ctx context.Context, retry bool) bool {
	for {
		wait := w.brake.left(retry)
		if retry && wait <= 0 && w.share.spent() {
			wait = time.Second
		}
		if wait <= 0 {
			return ctx.Err() == nil
		}
		if !sleep(ctx, wait) {
			return false
		}
	}
}

// next takes a notification from the server, or returns nil if none waits.
func (w *worker) next(ctx context.Context, c jetstream.Consumer) (jetstream.Msg, error) {
	before := w.queue.nc.LastError()
	msg, err := fetch(ctx, c)
	return msg, w.queue.explain(err, before)
}

// fetch takes a message from the server, or returns nil if none came within fetchTime or before
// ctx ended.
func fetch(ctx context.Context, c jetstream.Consumer) (jetstream.Msg, error) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 3*fetchPulse {
		<-ctx.Done() // the client refuses so short a fetch
		return nil, nil
	}
	fetching, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	msg, err := c.Next(jetstream.FetchContext(fetching), jetstream.FetchHeartbeat(fetchPulse))
	if err != nil && (errors.Is(err, nats.ErrTimeout) || fetching.Err() != nil) {
		return nil, nil
	}
	return msg, err
}

// trouble handles a failed fetch: the server neither delivered a message nor said that none
// waits.
func (w *worker) trouble(ctx context.Context, c jetstream.Consumer, err error) {
	if ctx.Err() != nil {
		return
	}
	q := w.queue
	switch {
	case errors.Is(err, jetstream.ErrNoHeartbeat):
		q.revive()
	case errors.Is(err, nats.ErrNoResponders): // JetStream is away, or the consumer is gone
		if _, e := q.consumerInfo(ctx, c); e != nil {
			err = e
		}
	}
	if q.nc.IsClosed() || errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		w.stop(fmt.Errorf("%w, since the queue is gone: %w", errStopped, err))
		return
	}
	if w.warned.now() {
		q.logger.WarnContext(ctx, "queue: the server delivers no notifications, asking again", "error", err)
	}
	sleep(ctx, 500*time.Millisecond)
}

// sometimes limits how often a message is logged.
type sometimes struct {
	mu   sync.Mutex
	last time.Time
}

func (s *sometimes) now() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < 10*time.Second {
		return false
	}
	s.last = time.Now()
	return true
}

// hold tells the server again and again that the notification is being worked on, until
// that took too long or the function that it returns is called.
func (h *handling) hold(ctx context.Context) (letGo func()) {
	ctx, letGo = context.WithTimeout(ctx, holdTime)
	go func() {
		for sleep(ctx, ackWait/3) {
			_ = h.msg.InProgress() // if this is lost, it is redelivered, under the same key
		}
	}()
	return letGo
}
