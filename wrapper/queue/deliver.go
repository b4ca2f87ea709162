package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Event is the result of one delivery: a worker took a notification from the queue and tried it.
type Event struct {
	Notification whop.Notification // with its idempotency key; the zero value if it could not be read
	Position     uint64            // of EnqueueAt; 0: none
	Delivery     int               // how often a worker has taken it, from 1
	Receipt      *whop.Receipt     // nil if Err is set
	Err          error             // why it is not queued at Whop, most often a *whop.SendError
	Dead         bool              // it is a dead letter now
	Outcome      whop.Outcome      // of a dead letter, over all deliveries; meaningless if Dead is false
	RetryIn      time.Duration     // when a worker takes it again; 0: never
}

// handling is one notification in the hands of a worker.
type handling struct {
	worker *worker
	msg    jetstream.Msg
	retry  bool // it waited for its next try, or for its NotBefore
	item   item
	begun  begun
	sent   bool // Whop has queued it
	// doubt is when an attempt may first have queued the notification; zero if none can have.
	doubt time.Time
}

// deliver sends or buries one notification, and acknowledges it. Requests to the queue's
// server end with settling.
func (h *handling) deliver(ctx, settling context.Context) {
	q := h.worker.queue
	invalid := h.read()
	switch {
	case errors.Is(invalid, errForeign):
		q.logger.ErrorContext(ctx, "queue: a message that is none of the queue's, dropped", "subject", oneLine(h.msg.Subject()), "error", invalid)
		_ = h.msg.Term()
		return
	case invalid == nil && time.Until(h.item.notBefore) > 0:
		h.postpone(settling)
		return
	}
	h.retry = h.retry && h.item.reason != "" // else it has only waited for its NotBefore
	var err error
	h.begun, err = q.begin(settling, delivery(h.item.id, h.item.deliveries), begun{By: uuid.NewString()})
	if err != nil {
		h.leave(settling, err)
		return
	}
	if h.begun.By == canceled {
		if err := q.recordGone(settling, h.item.id); err != nil { // Cancel may have broken off before
			h.leave(settling, err)
			return
		}
		h.confirm(settling)
		return
	}
	if h.begun.earlier {
		// If it moved on after that, and only the acknowledgement was lost, find it there.
		f, err := q.become(settling, h.item.id)
		if err != nil {
			h.leave(settling, err)
			return
		}
		h.sent = f.State == Sent
		if h.sent || f.State == Dead || f.at > 0 && f.Deliveries > h.item.deliveries {
			h.confirm(settling)
			return
		}
	}
	h.doubt = h.item.firstAttempt
	if h.begun.earlier && (h.doubt.IsZero() || h.begun.At.Before(h.doubt)) {
		h.doubt = h.begun.At
	}
	switch {
	case invalid != nil && h.doubt.IsZero():
		h.bury(settling, whop.NotSent, invalid)
		return
	case invalid != nil:
		h.bury(settling, whop.Unknown, invalid)
		return
	case !h.doubt.IsZero() && q.now().Sub(h.doubt) >= keyLifetime:
		h.bury(settling, whop.Unknown, fmt.Errorf("not sent again: it may have been queued at Whop since %s, and Whop remembers a key for no more than 24 hours", h.doubt.UTC().Format(time.RFC3339)))
		return
	}
	sending, cancel := context.WithTimeout(context.WithValue(ctx, retryKey{}, h.retry), attemptTime)
	defer cancel()
	receipt, err := h.worker.client.Send(sending, h.item.notification)
	failure, failed := errors.AsType[*whop.SendError](err)
	if failed {
		h.settle(ctx, settling, failure)
		return
	}
	h.sent = true
	h.worker.answered(true)
	h.worker.share.count(false)
	h.confirm(settling)
	q.logger.DebugContext(ctx, "queue: sent", "idempotency_key", h.item.key, "delivery", h.item.deliveries+1, "replayed", receipt.Replayed)
	h.observe(ctx, Event{Receipt: receipt})
}

// errForeign marks a message that the queue did not store: it has no number.
var errForeign = errors.New("it has no number of the queue's")

// read decodes the message. Any error except errForeign says why the notification must not be
// sent.
func (h *handling) read() (err error) {
	meta, err := h.msg.Metadata()
	if err != nil {
		return fmt.Errorf("%w: %w", errForeign, err)
	}
	h.item, err = itemOf(h.msg.Headers(), h.msg.Data())
	if !h.retry {
		h.item.id, h.item.enqueued, h.item.deliveries = meta.Sequence.Stream, meta.Timestamp, 0
		h.item.firstAttempt, h.item.refusedSince = time.Time{}, time.Time{}
	} else if h.item.id == 0 {
		return errForeign
	}
	if err == nil && h.item.key == "" {
		return errors.New("it has no idempotency key, by which Whop would know a second attempt")
	}
	if most := h.worker.queue.nc.MaxPayload() - headroom/2; err == nil && int64(len(h.item.body)) > most && h.worker.queue.nc.IsConnected() {
		return fmt.Errorf("with %d bytes it is too large to be tried again: this NATS server (max_payload) leaves room for %d", len(h.item.body), most)
	}
	return err
}

func (h *handling) observe(ctx context.Context, e Event) {
	if f := h.worker.queue.observer; f != nil {
		e.Notification, e.Position, e.Delivery = h.item.notification, h.item.position, h.item.deliveries+1
		f(ctx, e)
	}
}
