package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Ticket says under which key a notification is in the queue.
type Ticket struct {
	IdempotencyKey string
	Duplicate      bool // this key is already in the queue, or was within the last 24 hours
}

// Enqueue puts a notification into the queue, under its own idempotency key or a random
// one. Once it returns nil, the notification will be sent. One whose key came within the
// last 24 hours is not enqueued again, and Ticket.Duplicate says so; if that was another
// notification, the error is [whop.ErrIdempotencyMismatch].
//
// An invalid notification gives a [*whop.ValidationError]. After any other error it may be in
// the queue or not: enqueue it again under the key of the ticket, which is set also then.
func (q *Queue) Enqueue(ctx context.Context, n whop.Notification) (Ticket, error) {
	return q.enqueueOne(ctx, n, 0)
}

// EnqueueAt is Enqueue for a sole producer that goes through a file or log in order, and
// keeps the position, from 1, with the notification. After a crash [Queue.Position] says
// how far it came, exactly: behind that it goes on.
func (q *Queue) EnqueueAt(ctx context.Context, n whop.Notification, position uint64) (Ticket, error) {
	if position == 0 {
		return Ticket{}, errors.New("queue: EnqueueAt: positions begin with 1")
	}
	return q.enqueueOne(ctx, n, position)
}

// Position is that of the last notification of [Queue.EnqueueAt], 0 if there was none.
func (q *Queue) Position(ctx context.Context) (uint64, error) {
	last, err := q.stream.GetLastMsgForSubject(ctx, q.numberedSubject())
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("queue: reading the last position: %w", err)
	}
	return positionOf(last.Header), nil
}

// enqueueWindow is how many notifications EnqueueAll enqueues in one go.
const enqueueWindow = 1000

// EnqueueAll enqueues every notification of ns, and yields in their order what [Queue.Enqueue]
// would have returned. It is faster, since it waits for the server and the disk once for up to
// 1,000 of them; it pulls as many before it yields the first. After an error it goes on with
// the next. When the caller stops ranging, what was pulled may be in the queue.
func (q *Queue) EnqueueAll(ctx context.Context, ns iter.Seq[whop.Notification]) iter.Seq2[Ticket, error] {
	return func(yield func(Ticket, error) bool) {
		window := make([]enqueueing, 0, enqueueWindow)
		for n := range ns {
			if ctx.Err() != nil {
				break
			}
			if window = append(window, q.begin(n, 0)); len(window) < enqueueWindow {
				continue
			}
			if !q.finishAll(ctx, window, yield) {
				return
			}
			window = window[:0]
		}
		q.finishAll(ctx, window, yield)
	}
}

func (q *Queue) enqueueOne(ctx context.Context, n whop.Notification, position uint64) (ticket Ticket, err error) {
	one := []enqueueing{q.begin(n, position)}
	q.finishAll(ctx, one, func(t Ticket, e error) bool {
		ticket, err = t, e
		return true
	})
	return ticket, err
}

// enqueueing is a notification that is on its way into the queue.
type enqueueing struct {
	item   item
	future jetstream.PubAckFuture
	err    error
}

// begin sends a notification to the server.
func (q *Queue) begin(n whop.Notification, position uint64) enqueueing {
	e := enqueueing{item: item{key: n.IdempotencyKey(), position: position}}
	if e.item.body, e.err = n.MarshalJSON(); e.err != nil {
		return e
	}
	if e.item.key == "" {
		e.item.key, e.item.generated = uuid.NewString(), true
	}
	subject := q.plainSubject()
	if position > 0 {
		subject = q.numberedSubject()
	}
	e.future, e.err = q.js.PublishMsgAsync(e.item.message(subject, e.item.key))
	switch {
	case errors.Is(e.err, nats.ErrMaxPayload):
		e.err = fmt.Errorf("queue: the notification has %d bytes, and the NATS server takes up to %d (max_payload): %w", len(e.item.body), q.js.Conn().MaxPayload(), e.err)
	case e.err != nil:
		e.err = uncertain(e.err)
	}
	return e
}

// finishAll waits until the server has confirmed what was begun and it is on the disk, and
// yields the tickets.
func (q *Queue) finishAll(ctx context.Context, begun []enqueueing, yield func(Ticket, error) bool) bool {
	acks := make([]*jetstream.PubAck, len(begun))
	for i := range begun {
		if e := &begun[i]; e.err == nil {
			acks[i], e.err = e.wait(ctx)
		}
	}
	var syncErr error
	if slices.ContainsFunc(acks, func(a *jetstream.PubAck) bool { return a != nil }) {
		syncErr = q.sync(ctx)
	}
	for i, e := range begun {
		ticket := Ticket{IdempotencyKey: e.item.key}
		switch {
		case e.err != nil:
		case syncErr != nil:
			e.err = uncertain(syncErr)
		case acks[i].Duplicate:
			ticket.Duplicate = true
			e.err = q.compare(ctx, &e.item, acks[i].Sequence)
		}
		if !yield(ticket, e.err) {
			return false
		}
	}
	return true
}

func (e *enqueueing) wait(ctx context.Context) (*jetstream.PubAck, error) {
	select {
	case ack := <-e.future.Ok():
		return ack, nil
	case err := <-e.future.Err():
		return nil, uncertain(err)
	case <-ctx.Done():
		return nil, uncertain(context.Cause(ctx))
	}
}

func uncertain(err error) error {
	return fmt.Errorf("queue: not certain that the notification is in the queue: %w", err)
}

// compare fails if the notification that came first under a key is another one.
func (q *Queue) compare(ctx context.Context, it *item, first uint64) error {
	msg, err := q.stream.GetMsg(ctx, first)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // done, and just now too old to be kept
		return nil
	case err != nil:
		return fmt.Errorf("queue: comparing with the first notification under the key %q: %w", it.key, err)
	case !bytes.Equal(msg.Data, it.body):
		return fmt.Errorf("queue: the key %q came with another notification within the last 24 hours, and this one is not in the queue: %w", it.key, whop.ErrIdempotencyMismatch)
	}
	return nil
}
