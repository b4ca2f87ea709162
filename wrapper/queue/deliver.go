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
	Delivery     int               // how often it was taken, from 1: by a worker, also to put it aside until its NotBefore, and by Retry
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
	keep   bool // the record of this delivery must stay
	// doubt is when an attempt may first have queued the notification; zero if none can have.
	doubt time.Time
}

// deliver sends or buries one notification, and acknowledges it. Requests to the queue's
// server end with settling.
func (h *handling) deliver(ctx, settling context.Context) {
	q := h.worker.queue
	invalid := h.read()
	if errors.Is(invalid, errForeign) {
		q.logger.ErrorContext(ctx, "queue: a message that is none of the queue's, dropped", "subject", oneLine(h.msg.Subject()), "error", invalid)
		_ = h.msg.Term()
		return
	}
	h.retry = h.retry && h.item.reason != "" // else it has only waited for its NotBefore
	// Measured before the record is stored: a record from before NotBefore shows that nothing
	// was attempted.
	early := h.item.notBefore.Sub(q.now())
	moved, err := h.begin(settling, early > 0)
	if err != nil {
		h.leave(settling, err)
		return
	}
	if moved {
		h.confirm(settling)
		return
	}
	h.finishRetry(settling)
	switch {
	case invalid != nil && h.doubt.IsZero():
		h.bury(settling, whop.NotSent, invalid)
		return
	case invalid != nil:
		h.bury(settling, whop.Unknown, invalid)
		return
	case early > 0:
		h.postpone(settling, early)
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

// begin records that the delivery begins. moved is true if the notification has moved on since an
// earlier beginning, or was canceled.
func (h *handling) begin(ctx context.Context, early bool) (moved bool, err error) {
	q, it := h.worker.queue, &h.item
	if h.begun, err = q.begin(ctx, delivery(it.id, it.deliveries), begun{By: uuid.NewString()}); err != nil {
		return false, err
	}
	h.doubt = it.firstAttempt
	if h.begun.By == canceled {
		return true, q.recordGone(ctx, it.id) // Cancel may have broken off before
	}
	if !h.begun.earlier {
		return false, nil
	}
	// If it moved on after that, and only the acknowledgement was lost, find it there.
	f, err := q.become(ctx, it.id)
	if err != nil {
		return false, err
	}
	if h.sent = f.State == Sent; f.past(it.deliveries) {
		return true, nil
	}
	if h.begun.At.Before(it.notBefore) { // it was put aside, and not attempted
		if early {
			return false, nil
		}
		if err := q.ended(ctx, h.begun); err != nil {
			return false, err
		}
		return h.begin(ctx, early) // else the old record would hide this attempt
	}
	if h.doubt.IsZero() || h.begun.At.Before(h.doubt) {
		h.doubt = h.begun.At
	}
	return false, nil
}

// finishRetry removes the dead letter that the notification was, if Retry broke off before it did.
func (h *handling) finishRetry(ctx context.Context) {
	q, id := h.worker.queue, h.item.letter
	if id == 0 {
		return
	}
	h.item.letter = 0
	letter, err := q.get(ctx, q.dead, 0, q.deadSubject(h.item.id))
	if err == nil && letter.Sequence == id {
		err = q.remove(ctx, q.dead, id)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		h.keep = true // so that Drop learns of this delivery
		q.logger.WarnContext(ctx, "queue: a dead letter is sent again, and could not be removed", "dead_letter", id, "idempotency_key", h.item.key, "error", err)
	}
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
