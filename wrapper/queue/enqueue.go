package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Ticket identifies a notification in the queue.
type Ticket struct {
	IdempotencyKey string
	Duplicate      bool        // this key was enqueued before, within the last 24 hours
	State          TicketState // of the notification under this key
}

// TicketState is the state of a notification.
type TicketState int

const (
	// Waiting: it will go out, now or later. One that Whop has queued may be called waiting for
	// some seconds, and after a crash for as long as an older one is in flight.
	Waiting TicketState = iota
	// Sent: Whop has queued it.
	Sent
	// Dead: the queue gave it up, and will not send it by itself: see [Queue.Retry].
	Dead
	// Canceled: [Queue.Cancel] or [Queue.Drop] removed it, and it will not go out.
	Canceled
)

// String returns "waiting", "sent", "dead" or "canceled".
func (s TicketState) String() string {
	names := [...]string{"waiting", "sent", "dead", "canceled"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("TicketState(%d)", int(s))
	}
	return names[s]
}

// ErrNotEnqueued says that the notification is certainly not in the queue: the server refused
// it, or never received it.
var ErrNotEnqueued = errors.New("the notification is not in the queue")

// errUncertain says that the notification may be in the queue.
var errUncertain = errors.New("it is not certain whether the notification is in the queue; enqueue it again under the same key")

// EnqueueOption is an option for one notification.
type EnqueueOption func(*item)

// NotBefore delays a notification until t. The wait occupies no worker. If a worker runs then,
// the notification goes out within seconds after t. If many are due at once, it takes longer:
// they share with the retries a quarter of the senders. The zero value or a past time means at
// once.
func NotBefore(t time.Time) EnqueueOption {
	return func(it *item) { it.notBefore = t }
}

// enqueueTime bounds the tries of an enqueuer without a deadline while NATS is away.
const enqueueTime = time.Minute

// Enqueue puts a notification into the queue, under its own idempotency key or a random one.
// Once it returns nil, the notification is stored, and will be sent. If its key was enqueued
// within the last 24 hours, Enqueue does not store it again: it sets Ticket.Duplicate, and
// Ticket.State to the state of the first one. If that is Dead or Canceled, nothing will be sent
// under this key. If the first one was a different notification, it returns
// [whop.ErrIdempotencyMismatch], unless the first one was canceled in the line.
//
// While NATS is away, Enqueue tries again until ctx ends, or for a minute if ctx has no
// deadline. It returns a [*whop.ValidationError] for an invalid notification, and
// [ErrNotEnqueued] if the server refuses it. After any other error the notification may be in
// the queue: enqueue it again under the ticket's key, which is set even then.
func (q *Queue) Enqueue(ctx context.Context, n whop.Notification, opts ...EnqueueOption) (Ticket, error) {
	it, err := q.newItem(n)
	for _, opt := range opts {
		opt(&it)
	}
	if err == nil && it.notBefore.Year() > 9999 {
		err = fmt.Errorf("queue: %w: NotBefore is in the year %d, and the last that can be kept is 9999: were milliseconds taken for seconds?", ErrNotEnqueued, it.notBefore.Year())
	}
	if err != nil {
		return Ticket{IdempotencyKey: it.key}, err
	}
	return q.finish(ctx, &it, nil)
}

// So many notifications, or bytes of them in EnqueueAll, are in flight to the server at a time.
// More would time out where the server stores only 20 a second.
const enqueueWindow, enqueueBytes = 100, 64 << 20

// EnqueueAll enqueues every notification of ns. For each, in order, it yields what
// [Queue.Enqueue] would have returned. It is faster than Enqueue, because it waits for the
// server once for up to 100 notifications, or 64 MiB of them. It pulls that many before it yields the first
// result, and the time limit for tries covers all of them together. After an error it goes on
// with the next. When ctx has ended, it yields [ErrNotEnqueued] for the next one, and pulls no more.
// If you stop ranging, the notifications already pulled may be in the queue.
func (q *Queue) EnqueueAll(ctx context.Context, ns iter.Seq[whop.Notification]) iter.Seq2[Ticket, error] {
	return func(yield func(Ticket, error) bool) {
		type enqueueing struct {
			item   item
			future jetstream.PubAckFuture
			ticket Ticket
			err    error
		}
		window, size := make([]enqueueing, 0, enqueueWindow), 0
		finish := func() bool {
			bounded, cancel := enqueueContext(ctx)
			defer cancel()
			var finishing sync.WaitGroup
			for i := range window {
				if e := &window[i]; e.err == nil {
					finishing.Go(func() { e.ticket, e.err = q.finish(bounded, &e.item, e.future) })
				}
			}
			finishing.Wait()
			for _, e := range window {
				if !yield(e.ticket, e.err) {
					return false
				}
			}
			clear(window)
			window, size = window[:0], 0
			return true
		}
		for n := range ns {
			var e enqueueing
			if ctx.Err() != nil {
				if finish() {
					yield(Ticket{IdempotencyKey: n.IdempotencyKey()}, fmt.Errorf("queue: %w, nor is any after it: %w", ErrNotEnqueued, context.Cause(ctx)))
				}
				return
			}
			e.item, e.err = q.newItem(n)
			e.ticket.IdempotencyKey = e.item.key
			if e.err == nil {
				// Without a future, finish publishes it.
				e.future, _ = q.js.PublishMsgAsync(e.item.message(q.plainSubject(), e.item.key))
			}
			window, size = append(window, e), size+len(e.item.body)
			if (len(window) == enqueueWindow || size >= enqueueBytes) && !finish() {
				return
			}
		}
		finish()
	}
}

// newItem makes an item of a notification, if that is valid and also fits as a dead letter.
func (q *Queue) newItem(n whop.Notification) (it item, err error) {
	it.key = n.IdempotencyKey()
	if it.body, err = n.MarshalJSON(); err != nil {
		return it, err
	}
	if it.key == "" {
		it.key, it.generated = uuid.NewString(), true
	}
	it.ticket = uuid.NewString()
	if most := q.nc.MaxPayload() - headroom; q.nc.IsConnected() && int64(len(it.body)) > most {
		err = fmt.Errorf("queue: %w: it has %d bytes, and with this NATS server (max_payload) up to %d can be enqueued: %w", ErrNotEnqueued, len(it.body), most, nats.ErrMaxPayload)
	}
	return it, err
}

// finish waits for the answer to a published item, or publishes the item.
func (q *Queue) finish(ctx context.Context, it *item, future jetstream.PubAckFuture) (Ticket, error) {
	ticket := Ticket{IdempotencyKey: it.key}
	ack, sent := (*jetstream.PubAck)(nil), future != nil
	if sent {
		select {
		case ack = <-future.Ok():
		case err := <-future.Err():
			sent = !isRefusal(err)
		case <-ctx.Done():
		}
	}
	if ack == nil {
		var certain bool
		var err error
		if ack, certain, err = q.store(ctx, it); err != nil {
			if certain && !sent {
				return ticket, fmt.Errorf("queue: %w: %w", ErrNotEnqueued, err)
			}
			return ticket, fmt.Errorf("queue: %w: %w", errUncertain, err)
		}
	}
	if !ack.Duplicate {
		return ticket, nil
	}
	if err := acquire(ctx, q.enqueuing); err != nil {
		ticket.Duplicate = true
		return ticket, fmt.Errorf("queue: looking for the notification under the key %q: %w", it.key, err)
	}
	found, err := q.become(ctx, ack.Sequence)
	<-q.enqueuing
	if err != nil {
		ticket.Duplicate = true
		return ticket, fmt.Errorf("queue: looking for the notification under the key %q: %w", it.key, err)
	}
	ticket.State = found.State
	ticket.Duplicate = found.ticket != it.ticket // else an answer to this call was lost
	if found.body != nil && !bytes.Equal(found.body, it.body) {
		err = fmt.Errorf("queue: the key %q came with another notification within the last 24 hours: %w: %w", it.key, ErrNotEnqueued, whop.ErrIdempotencyMismatch)
	}
	return ticket, err
}

func enqueueContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, enqueueTime)
}

// store publishes an item when its turn comes.
func (q *Queue) store(ctx context.Context, it *item) (*jetstream.PubAck, bool, error) {
	ctx, cancel := enqueueContext(ctx)
	defer cancel()
	if err := acquire(ctx, q.enqueuing); err != nil {
		return nil, true, err
	}
	defer func() { <-q.enqueuing }()
	ack, certain, err := q.publish(ctx, it.message(q.plainSubject(), it.key))
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return ack, certain, err
}
