package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// begun is the record stored before an operation that a crash could leave half done: an
// attempt, a cancellation, a retry of a dead letter. Each operation has one subject, which
// holds one record. Whoever finds a record there knows that somebody else began, and when. An
// operation that ends in order removes its record.
type begun struct {
	By  string    `json:"by"` // unique to each beginning
	At  time.Time `json:"at"`
	Key string    `json:"key,omitempty"` // of a retry

	seq     uint64 // of the message
	earlier bool   // somebody else began
}

// begunOf decodes a record. A message that is none of the queue's counts as an attempt.
func begunOf(msg *jetstream.RawStreamMsg) (b begun, own bool) {
	own = json.Unmarshal(msg.Data, &b) == nil && !b.At.IsZero()
	if !own {
		b = begun{At: msg.Time}
	}
	b.seq = msg.Sequence
	return b, own
}

const (
	// canceled is the By of a cancellation, which begins a delivery to keep it from being made.
	canceled = "canceled"
	// sent is the By of an attempt by which Whop queued the notification. Its record stays for
	// as long as an older notification is in flight: until then the line does not show it.
	sent = "sent"
)

// begin stores a record that b begins what, now or at b.At, or returns the record stored before.
func (q *Queue) begin(ctx context.Context, what string, b begun) (begun, error) {
	if b.At.IsZero() {
		b.At = q.now()
	}
	value, err := json.Marshal(b)
	if err != nil {
		return b, err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for {
		m := nats.NewMsg(q.begunSubject(what))
		m.Data = value
		ack, _, err := q.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(0))
		if err == nil {
			b.seq = ack.Sequence
			return b, nil
		}
		if !isConflict(err) {
			return b, fmt.Errorf("writing down that %s begins: %w", what, err)
		}
		msg, err := q.get(ctx, q.attempts, 0, m.Subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) && ctx.Err() == nil {
			continue // it has ended meanwhile
		}
		if err != nil {
			return b, fmt.Errorf("reading who began %s: %w", what, err)
		}
		first, own := begunOf(msg)
		if !own {
			q.logger.WarnContext(ctx, "queue: an entry that is none of the queue's, taken for an attempt", "subject", oneLine(m.Subject), "at", msg.Time)
		}
		first.earlier = first.By != b.By // else it is the answer that was lost
		return first, nil
	}
}

// noteSent puts into the place of an attempt's record that the notification was sent.
func (q *Queue) noteSent(ctx context.Context, what string, b begun) error {
	value, err := json.Marshal(begun{By: sent, At: b.At})
	if err != nil {
		return err
	}
	m := nats.NewMsg(q.begunSubject(what))
	m.Data = value
	_, _, err = q.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(b.seq))
	return err
}

// ended removes a record.
func (q *Queue) ended(ctx context.Context, b begun) error { return q.remove(ctx, q.attempts, b.seq) }
