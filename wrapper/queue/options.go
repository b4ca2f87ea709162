package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Option configures a [Queue]. If an option is given twice, the last one wins.
type Option func(*config) error

type config struct {
	name     string
	replicas int // 0: not given
	now      func() time.Time
	drain    time.Duration
	logger   *slog.Logger
	observer func(context.Context, Event)
}

// WithName sets the queue's name, from which those of its streams are made, so that several
// can share a server: letters, digits, "-" and "_", at most 64. Default "whop-notify". Whop's
// rate limit and idempotency keys belong to a credential, so give each a queue of its own.
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
// Streams that exist keep their number; a different one is logged as a warning. Default 1.
func WithReplicas(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 5 {
			return fmt.Errorf("WithReplicas: %d is not between 1 and 5", n)
		}
		c.replicas = n
		return nil
	}
}

// WithDrainTimeout bounds the whole of ending [Queue.Work]: attempts in flight may finish
// when its context ends, and what has not finished shortly before this time is cancelled and
// given back. At 0 everything is dropped where it stands, as by a crash. Default 30 s.
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

// WithLogger logs dead letters and what needs a person as errors, what will be tried again
// as warnings, and each success at debug level. Default: nothing.
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
