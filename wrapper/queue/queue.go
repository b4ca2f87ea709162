package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Queue is a durable queue of notifications. It is made by [Open] and safe for concurrent
// use. It has nothing to close but the connection it was given.
type Queue struct {
	config
	js       jetstream.JetStream
	stream   jetstream.Stream
	workers  jetstream.Consumer
	dead     jetstream.Stream
	attempts *attemptLog
	limits   jetstream.KeyValue

	lastNumbered numbered
}

// publishWait is how long to wait for the server where the context sets no deadline.
const publishWait = 10 * time.Second

// Option configures a [Queue]. Of two options for the same thing the last counts.
type Option func(*config) error

type config struct {
	name     string
	replicas int
	now      func() time.Time
	drain    time.Duration
	logger   *slog.Logger
	observer func(context.Context, Event)
}

// WithName sets the queue's name, from which those of its streams are made, so that several
// can share a server: letters, digits, "-" and "_". Default "whop-notify". Whop's rate
// limit and idempotency keys belong to a credential, so give each a queue of its own.
func WithName(name string) Option {
	return func(c *config) error {
		if name == "" || len(name) > 64 {
			return errors.New("WithName: the name must have 1 to 64 characters")
		}
		for _, r := range name {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
				return fmt.Errorf("WithName: %q has a character other than letters, digits, - and _", name)
			}
		}
		c.name = name
		return nil
	}
}

// WithReplicas sets on how many servers of a cluster each notification is kept, 1 to 5.
// It counts when the streams are made; existing ones stay as they are. Default 1.
func WithReplicas(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 5 {
			return fmt.Errorf("WithReplicas: %d is not between 1 and 5", n)
		}
		c.replicas = n
		return nil
	}
}

// WithDrainTimeout sets how long [Queue.Work] lets attempts that are under way come to
// their end once its context has ended; what is not done then goes back into the queue.
// Default 30 s.
func WithDrainTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithDrainTimeout: %v is negative", d)
		}
		c.drain = d
		return nil
	}
}

// WithClock replaces time.Now for the age of idempotency keys, as for tests.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return errors.New("WithClock: the clock is nil")
		}
		c.now = now
		return nil
	}
}

// WithLogger logs dead letters and what a person should look at as errors, what will be
// tried again as warnings, and each success at debug level. Default: nothing.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			l = slog.New(slog.DiscardHandler)
		}
		c.logger = l
		return nil
	}
}

// WithObserver calls f with what became of each notification that [Queue.Work] took from
// the queue and began. f must be safe for concurrent use, and quick: a worker waits for it.
func WithObserver(f func(context.Context, Event)) Option {
	return func(c *config) error {
		c.observer = f
		return nil
	}
}

// Open makes the streams of a queue on a server, or checks those that are there. It fails
// where they are set up such that a notification could get lost or be sent twice. ctx is
// for opening alone.
func Open(ctx context.Context, nc *nats.Conn, opts ...Option) (*Queue, error) {
	q := &Queue{config: config{
		name:     "whop-notify",
		replicas: 1,
		now:      time.Now,
		drain:    30 * time.Second,
		logger:   slog.New(slog.DiscardHandler),
	}}
	var errs []error
	for _, opt := range opts {
		errs = append(errs, opt(&q.config))
	}
	if nc == nil {
		errs = append(errs, errors.New("Open: the connection is nil"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	var err error
	if q.js, err = jetstream.New(nc, jetstream.WithPublishAsyncTimeout(publishWait), jetstream.WithDefaultTimeout(publishWait)); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if err := q.openStreams(ctx); err != nil {
		return nil, fmt.Errorf("queue: opening %s: %w", q.name, err)
	}
	return q, nil
}

// Name is the queue's name.
func (q *Queue) Name() string { return q.name }
