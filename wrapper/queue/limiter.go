package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	// whopPerMinute is Whop's documented limit for an operation and credential
	// (docs.whop.com, developer/troubleshooting).
	whopPerMinute = 600
	// retryShare is the share of the attempts that retries may take: one in four.
	retryShare = 4
	// atATime is the most attempts that one update of the bucket takes.
	atATime = 10
	// spareTime is how long an attempt taken from the bucket stays usable.
	spareTime = 500 * time.Millisecond
)

const limitKey = "attempts"

// Limiter returns a limiter that all processes of the queue share. Together they make at most
// perMinute attempts in any 60 s; under 1 means Whop's 600. It delays nothing else. A worker's
// retries take at most a quarter of the limit. The limiter keeps its state in a bucket beside
// the queue, and uses the NATS server's clock. All processes must pass the same number. Pass
// the limiter to a client with [whop.WithLimiter].
//
// Wait returns an error if ctx ends or would end first, and within seconds if NATS does not
// answer.
func (q *Queue) Limiter(perMinute int) whop.Limiter {
	if perMinute < 1 {
		perMinute = whopPerMinute
	}
	l := &limiter{queue: q, perMinute: perMinute, bucket: make(chan struct{}, 1)}
	for i := range l.lanes {
		l.lanes[i].turn = make(chan struct{}, 1)
	}
	return l
}

// limiter shares a window through the bucket.
type limiter struct {
	queue     *Queue
	perMinute int
	lanes     [2]lane // of first attempts, and of retries

	bucket   chan struct{} // held while asking the bucket; guards the rest
	revision uint64        // of window; 0 if unknown or none
	window   window
	clock    clock
}

// lane is a line of waiting attempts.
type lane struct {
	waiting atomic.Int32
	turn    chan struct{} // held by the first; guards the rest
	spare   int           // attempts already taken for the others
	until   time.Time     // when spare expires
	failed  error         // why the last one got none
	at      time.Time     // then
}

// retryKey is the key under which the context of an attempt says whether the notification
// has waited for it.
type retryKey struct{}

// endingKey is the context key of a channel that closes when the worker shuts down. An
// attempt that still waits for its turn then gives up.
type endingKey struct{}

var errEnding = errors.New("the worker ends")

// Wait waits until an attempt may be made.
func (l *limiter) Wait(ctx context.Context) error {
	retry, _ := ctx.Value(retryKey{}).(bool)
	first := &l.lanes[0]
	if retry {
		first = &l.lanes[1]
	}
	arrived := time.Now()
	first.waiting.Add(1)
	defer first.waiting.Add(-1)
	if err := acquire(ctx, first.turn); err != nil {
		return err
	}
	defer func() { <-first.turn }()
	if first.at.After(arrived) {
		return first.failed // else each would wait for NATS in turn
	}
	for first.spare == 0 || time.Now().After(first.until) {
		n, wait, err := l.take(ctx, min(atATime, int(first.waiting.Load())), retry)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, errEnding) {
				first.failed, first.at = err, time.Now()
			}
			return err
		}
		if first.spare, first.until = n, time.Now().Add(spareTime); n > 0 {
			break
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return fmt.Errorf("the next attempt may be made in %v, longer than the context allows: %w", wait.Round(time.Millisecond), context.DeadlineExceeded)
		}
		if err := pause(ctx, min(wait, requestTime)); err != nil {
			return err
		}
	}
	first.spare--
	return nil
}

// acquire waits for a turn and takes it.
func acquire(ctx context.Context, turn chan struct{}) error { return wait(ctx, turn, nil) }

// pause waits for a while.
func pause(ctx context.Context, d time.Duration) error { return wait(ctx, nil, time.After(d)) }

// wait waits for a turn or a time, or until waiting is pointless.
func wait(ctx context.Context, turn chan<- struct{}, until <-chan time.Time) error {
	ending, _ := ctx.Value(endingKey{}).(<-chan struct{})
	select {
	case turn <- struct{}{}:
		return nil
	case <-until:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-ending:
		return errEnding
	}
}

// take takes up to n attempts from the bucket. If it got none, it returns how long to wait.
func (l *limiter) take(ctx context.Context, n int, retry bool) (got int, wait time.Duration, err error) {
	if err := acquire(ctx, l.bucket); err != nil {
		return 0, 0, err
	}
	defer func() { <-l.bucket }()
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for {
		got, wait, err = l.tryToTake(ctx, n, retry)
		if err == nil {
			return got, wait, nil
		}
		l.revision = 0
		if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) {
			if _, gone := l.queue.info(ctx, l.queue.state); gone != nil {
				err = gone
			}
		}
		if !isConflict(err) { // on a conflict somebody else took some
			return 0, 0, fmt.Errorf("queue: the shared limiter: %w", err)
		}
		if !sleep(ctx, rand.N(10*time.Millisecond)) {
			return 0, 0, fmt.Errorf("queue: the shared limiter: %w", err)
		}
	}
}

func (l *limiter) tryToTake(ctx context.Context, n int, retry bool) (got int, wait time.Duration, err error) {
	q := l.queue
	if l.revision == 0 {
		if err := l.load(ctx); err != nil {
			return 0, 0, err
		}
	}
	now, err := l.clock.now(ctx, q.serverTime)
	if err != nil {
		return 0, 0, err
	}
	next, got, wait := l.window.take(now, n, l.perMinute, retry)
	if got == 0 {
		l.revision = 0 // others may have changed it until then
		return 0, wait, nil
	}
	value, err := json.Marshal(next)
	if err != nil {
		return 0, 0, err
	}
	revision, err := q.put(ctx, limitKey, value, jetstream.WithExpectLastSequencePerSubject(l.revision))
	if err != nil {
		return 0, 0, err
	}
	l.window, l.revision = next, revision
	return got, 0, nil
}

func (l *limiter) load(ctx context.Context) error {
	entry, err := l.queue.get(ctx, l.queue.state, 0, l.queue.stateSubject(limitKey))
	l.window = nil
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l.revision = entry.Sequence
	if err := json.Unmarshal(entry.Data, &l.window); err != nil {
		l.window = nil
		l.queue.logger.WarnContext(ctx, "queue: the limiter's entry in the bucket is none of the queue's, and is replaced", "subject", entry.Subject)
	}
	return nil
}

// clock follows the NATS server's clock, so that workers whose clocks differ or jump keep one
// pace. It uses the local clock only to measure the time since it asked.
type clock struct {
	asked  time.Time
	server time.Time // then
}

// now returns the server's time. It asks the server once a minute.
func (c *clock) now(ctx context.Context, ask func(context.Context) (time.Time, error)) (time.Time, error) {
	for tries := 1; time.Since(c.asked) > time.Minute; tries++ {
		before := time.Now()
		server, err := ask(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if took := time.Since(before); took < time.Second || tries == 3 { // a slower answer is imprecise
			c.asked, c.server = time.Now(), server.Add(took/2)
		}
	}
	return c.server.Add(time.Since(c.asked)), nil
}

// serverTime asks the server what time it is.
func (q *Queue) serverTime(ctx context.Context) (time.Time, error) {
	info, err := q.info(ctx, q.line)
	if err != nil {
		return time.Time{}, err
	}
	return info.TimeStamp, nil
}
