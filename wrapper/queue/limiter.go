package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// whopPerMinute is Whop's documented limit for an operation and credential
// (docs.whop.com, developer/troubleshooting).
const whopPerMinute = 600

// Limiter gives a limiter that keeps the attempts of all processes that use the queue
// together at or under perMinute in every 60 s; under 1 means Whop's 600. Its state is in a
// bucket beside the queue: all have to give the same number. It goes by the server's
// clock. Give it to a client by [whop.WithLimiter].
func (q *Queue) Limiter(perMinute int) whop.Limiter {
	if perMinute < 1 {
		perMinute = whopPerMinute
	}
	burst := max(1, perMinute/60)
	// In every 60 s there are the burst and as many as the interval fits in. It is as if a
	// minute had 62 s, for requests that are late.
	interval := 62 * time.Second / time.Duration(perMinute-burst+1)
	return &limiter{queue: q, interval: interval, tolerance: time.Duration(burst-1) * interval, turn: make(chan struct{}, 1)}
}

// limiter hands out times at which an attempt may go, an interval apart (GCRA). The next
// one is in the bucket, and whoever takes it moves it on.
type limiter struct {
	queue     *Queue
	interval  time.Duration
	tolerance time.Duration // how much earlier an attempt may go after a lull

	turn     chan struct{} // held by the one who asks; it guards the rest
	revision uint64        // of state
	state    limitState
	clock    clock
}

// maxAhead is how far ahead a time can be taken. Who would have to wait longer asks again,
// so that what waits is not lost with a worker that ends, and a time that is further ahead
// can only be wrong.
const maxAhead = 30 * time.Second

// limitState is the value in the bucket.
type limitState struct {
	Next time.Time `json:"next"` // when the next attempt is due, by the server's clock
}

const limitKey = "attempts"

// Wait takes the next free time and waits for it, or fails at once if ctx would end before.
func (l *limiter) Wait(ctx context.Context) error {
	for {
		wait, taken, err := l.take(ctx)
		if err != nil {
			return err
		}
		if !taken {
			wait = wait - maxAhead + rand.N(l.interval)
		}
		if err := l.wait(ctx, time.After(wait)); err != nil || taken {
			return err
		}
	}
}

// wait waits until there is something to receive, or there is no use in it.
func (l *limiter) wait(ctx context.Context, until <-chan time.Time) error {
	ending, _ := ctx.Value(endingKey{}).(<-chan struct{})
	select {
	case <-until:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-ending:
		return errEnding
	}
}

// endingKey is the key under which a context has the channel that is closed when a worker
// is to end: what only waits for its turn is not waited for.
type endingKey struct{}

var errEnding = errors.New("the worker ends")

// take takes the next free time, if it is near enough, and gives the wait until then.
func (l *limiter) take(ctx context.Context) (wait time.Duration, taken bool, err error) {
	ending, _ := ctx.Value(endingKey{}).(<-chan struct{})
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, false, context.Cause(ctx)
	case <-ending:
		return 0, false, errEnding
	}
	defer func() { <-l.turn }()
	for {
		wait, taken, err := l.tryToTake(ctx)
		switch {
		case err == nil:
			return wait, taken, nil
		case errors.Is(err, jetstream.ErrKeyExists), errors.Is(err, jetstream.ErrKeyRevisionMismatch): // somebody else took it
			l.revision = 0
			if !sleep(ctx, rand.N(5*time.Millisecond)) {
				return 0, false, context.Cause(ctx)
			}
		default:
			l.revision = 0
			return 0, false, fmt.Errorf("queue: the shared limiter: %w", err)
		}
	}
}

// tryToTake moves the state on by one attempt.
func (l *limiter) tryToTake(ctx context.Context) (wait time.Duration, taken bool, err error) {
	if l.revision == 0 {
		if err := l.load(ctx); err != nil {
			return 0, false, err
		}
	}
	now, err := l.clock.now(ctx, l.queue.stream)
	if err != nil {
		return 0, false, err
	}
	due := l.state.Next
	if due.Before(now) {
		due = now
	}
	if due.Sub(now) > maxAhead+l.tolerance+l.interval { // by a clock that was wrong
		due = now.Add(l.tolerance + maxAhead)
	}
	wait = max(0, due.Sub(now)-l.tolerance)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return 0, false, fmt.Errorf("the next free time is in %v, longer than the context allows: %w", wait, context.DeadlineExceeded)
	}
	if wait > maxAhead && due.Equal(l.state.Next) {
		l.revision = 0
		return wait, false, nil
	}
	next := limitState{due.Add(l.interval)}
	value, err := json.Marshal(next)
	if err != nil {
		return 0, false, err
	}
	if l.revision == 0 {
		l.revision, err = l.queue.limits.Create(ctx, limitKey, value)
	} else {
		l.revision, err = l.queue.limits.Update(ctx, limitKey, value, l.revision)
	}
	l.state = next
	return wait, true, err
}

func (l *limiter) load(ctx context.Context) error {
	entry, err := l.queue.limits.Get(ctx, limitKey)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		l.state = limitState{}
		return nil
	}
	if err != nil {
		return err
	}
	l.revision = entry.Revision()
	return json.Unmarshal(entry.Value(), &l.state)
}

// clock is that of the NATS server, so that workers whose clocks differ keep one pace.
type clock struct {
	asked time.Time // by the local clock
	ahead time.Duration
}

func (c *clock) now(ctx context.Context, stream jetstream.Stream) (time.Time, error) {
	if time.Since(c.asked) > time.Minute {
		info, err := stream.Info(ctx)
		if err != nil {
			return time.Time{}, err
		}
		c.asked = time.Now()
		c.ahead = info.TimeStamp.Sub(c.asked) // less what the answer took: rather late than early
	}
	return time.Now().Add(c.ahead), nil
}
