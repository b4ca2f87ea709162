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
func (q *Queue) Enqueue(ctx context.Context, n whop.Notification) (ticket Ticket, err error) {
	q.finishAll(ctx, []enqueueing{q.begin(n)}, func(t Ticket, e error) bool {
		ticket, err = t, e
		return true
	})
	return ticket, err
}

// Sync returns nil once all that was enqueued on an embedded server is on the disk. A server
// elsewhere has its own setting for that, and Sync does nothing.
func (q *Queue) Sync(ctx context.Context) error {
	if d, ok := q.js.Conn().Opts.InProcessServer.(*disk); ok {
		return d.sync(ctx)
	}
	return nil
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
			if window = append(window, q.begin(n)); len(window) < enqueueWindow {
				continue
			}
			if !q.finishAll(ctx, window, yield) {
				return
			}
			if window = window[:0]; ctx.Err() != nil {
				return
			}
		}
		q.finishAll(ctx, window, yield)
	}
}

// enqueueing is a notification that is on its way into the queue.
type enqueueing struct {
	item   item
	future jetstream.PubAckFuture
	err    error
}

// begin sends a notification to the server.
func (q *Queue) begin(n whop.Notification) (e enqueueing) {
	if e.item, e.err = newItem(n); e.err != nil {
		return e
	}
	if e.err = q.checkSize(&e.item); e.err != nil {
		return e
	}
	e.future, e.err = q.js.PublishMsgAsync(e.item.message(q.plainSubject(), e.item.key))
	if e.err != nil {
		e.err = notCertain(e.err)
	}
	return e
}

// checkSize refuses what would not fit as a dead letter.
func (q *Queue) checkSize(it *item) error {
	if most := q.js.Conn().MaxPayload() - headroom; int64(len(it.body)) > most {
		return fmt.Errorf("queue: the notification has %d bytes, and with this NATS server (max_payload) up to %d can be enqueued: %w", len(it.body), most, nats.ErrMaxPayload)
	}
	return nil
}

// newItem makes an item of a notification that is valid.
func newItem(n whop.Notification) (it item, err error) {
	it.key = n.IdempotencyKey()
	if it.body, err = n.MarshalJSON(); err == nil && it.key == "" {
		it.key, it.generated = uuid.NewString(), true
	}
	return it, err
}

// headroom is what a dead letter needs beyond the notification's own body, in bytes.
const headroom = 2 * maxReason

func notCertain(err error) error {
	return fmt.Errorf("queue: not certain that the notification is in the queue: %w", err)
}

// finishAll waits until the server has confirmed what was begun and it is on the disk, and
// yields the tickets.
func (q *Queue) finishAll(ctx context.Context, begun []enqueueing, yield func(Ticket, error) bool) bool {
	acks := make([]*jetstream.PubAck, len(begun))
	for i := range begun {
		if e := &begun[i]; e.err == nil {
			if acks[i], e.err = e.wait(ctx); e.err != nil {
				e.err = notCertain(e.err)
			}
		}
	}
	var syncErr error
	if slices.ContainsFunc(acks, func(a *jetstream.PubAck) bool { return a != nil }) {
		syncErr = q.Sync(ctx)
	}
	for i, e := range begun {
		ticket := Ticket{IdempotencyKey: e.item.key}
		switch {
		case e.err != nil:
		case syncErr != nil:
			e.err = notCertain(syncErr)
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
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
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
