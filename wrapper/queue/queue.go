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

// Queue is a durable queue of notifications, opened by [Open] and safe for concurrent use.
// There is nothing to close but the connection that it was given.
type Queue struct {
	config
	nc *nats.Conn
	js jetstream.JetStream

	line     jetstream.Stream // the notifications, in order, and those of the last day
	retry    jetstream.Stream // what waits for a time
	attempts jetstream.Stream // which attempts have begun
	dead     jetstream.Stream
	fresh    jetstream.Consumer // of line
	due      jetstream.Consumer // of retry
	state    jetstream.KeyValue // the limiter's, and the last success

	enqueuing chan struct{} // bounds the requests at a time
	reviving  sync.Mutex
	last      lastPosition
}

// Open creates the streams of a queue on a server (2.12 or later), or checks those that are
// there. It returns an error if they are set up such that a notification could get lost or be
// sent twice, and waits for a cluster that has no quorum yet, until ctx ends or, where ctx
// has no deadline, for a minute. ctx is for opening alone.
func Open(ctx context.Context, nc *nats.Conn, opts ...Option) (*Queue, error) {
	q := &Queue{
		config: config{
			name:   "whop-notify",
			now:    time.Now,
			drain:  30 * time.Second,
			logger: slog.New(slog.DiscardHandler),
		},
		nc:        nc,
		enqueuing: make(chan struct{}, 256),
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
	if q.js, err = jetstream.New(nc, jetstream.WithPublishAsyncTimeout(requestTime), jetstream.WithPublishAsyncMaxPending(2*enqueueWindow)); err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	if err := q.open(ctx); err != nil {
		return nil, fmt.Errorf("queue: opening %s: %w", q.name, err)
	}
	return q, nil
}

// Name returns the queue's name.
func (q *Queue) Name() string { return q.name }
