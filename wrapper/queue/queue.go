package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Queue is a durable queue of notifications, safe for concurrent use. Create one with [Open].
// It needs no Close; close the connection that you passed to Open.
type Queue struct {
	config
	nc *nats.Conn
	js jetstream.JetStream

	line     jetstream.Stream // the notifications, in order, and those of the last day
	retry    jetstream.Stream // notifications that wait for a time
	attempts jetstream.Stream // records of begun attempts
	dead     jetstream.Stream
	gone     jetstream.Stream   // records of dropped and canceled notifications
	state    jetstream.Stream   // the limiter's, and the last success, as a key-value bucket
	fresh    jetstream.Consumer // of line
	due      jetstream.Consumer // of retry

	enqueuing chan struct{} // bounds the requests at a time
	reviving  sync.Mutex
	opened    bool
	last      lastPosition
}

// Open creates the streams of a queue on a server (NATS 2.12 or later), or checks the existing
// ones. It returns an error if their settings could lose a notification or send it twice. It
// waits for a cluster without a quorum until ctx ends, or for a minute if ctx has no deadline.
// ctx applies only to opening.
func Open(ctx context.Context, nc *nats.Conn, opts ...Option) (*Queue, error) {
	q := &Queue{
		config: config{
			name:   "whop-notify",
			now:    time.Now,
			drain:  30 * time.Second,
			logger: slog.New(slog.DiscardHandler),
		},
		nc:        nc,
		enqueuing: make(chan struct{}, enqueueWindow),
		last:      lastPosition{turn: make(chan struct{}, 1)},
	}
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
	if q.js, err = jetstream.New(nc, jetstream.WithPublishAsyncTimeout(requestTime)); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if err := q.open(ctx); err != nil {
		return nil, fmt.Errorf("queue: opening %s: %w", q.name, err)
	}
	q.opened = true
	return q, nil
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }
