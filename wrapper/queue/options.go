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
	replicas int // 0: not set
	now      func() time.Time
	drain    time.Duration
	logger   *slog.Logger
	observer func(context.Context, Event)
}

// WithName sets the queue's name: up to 64 letters, digits, "-" and "_". The names of its
// streams begin with it, so several queues can share a server. Default "whop-notify". Use one
// queue for each credential, because Whop's rate limit and idempotency keys belong to the
// credential.
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

// WithReplicas sets how many servers of a cluster keep each notification, 1 to 5. Existing
// streams keep their number; Open logs a warning if it differs. Default 1.
func WithReplicas(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 5 {
			return fmt.Errorf("WithReplicas: %d is not between 1 and 5", n)
		}
		c.replicas = n
		return nil
	}
}

// WithDrainTimeout bounds the shutdown of [Queue.Work]. When its context ends, attempts in
// flight may finish. Shortly before the timeout, Work cancels the rest and returns their
// notifications to the queue. With 0 Work drops everything at once, like a crash. Default
// 30 s.
func WithDrainTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithDrainTimeout: %v is negative", d)
		}
		c.drain = d
		return nil
	}
}

// WithClock replaces time.Now for the age of idempotency keys. Use it in tests.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return errors.New("WithClock: the clock is nil")
		}
		c.now = now
		return nil
	}
}

// WithLogger sets the logger. Dead letters and problems that need a person are errors, failures
// that will be retried are warnings, and successes have debug level. By default nothing is
// logged.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			l = slog.New(slog.DiscardHandler)
		}
		c.logger = l
		return nil
	}
}

// WithObserver calls f with the result of each delivery that [Queue.Work] began. f must be safe
// for concurrent use, and quick: a worker waits for it.
func WithObserver(f func(context.Context, Event)) Option {
	return func(c *config) error {
		c.observer = f
		return nil
	}
}
