package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// ErrUnknownKey says that the idempotency key was not enqueued within the last 24 hours.
var ErrUnknownKey = errors.New("queue: no notification was enqueued under this key within the last 24 hours")

// ErrUnderWay says that it is too late to cancel the notification: an attempt has begun, and may
// have queued it.
var ErrUnderWay = errors.New("queue: the notification is under way, and cannot be canceled")

// Found is the state of a notification that was enqueued.
type Found struct {
	State      TicketState
	Retrying   bool         // it waits for its next try
	Deliveries int          // how often a worker took it and finished; 0 or too low once it is sent
	Outcome    whop.Outcome // of a dead letter; meaningless in any other state
	Reason     string       // why it is dead, or not sent yet
	DeadLetter uint64       // its ID, if it is dead
	EnqueuedAt time.Time

	id     uint64
	body   []byte // nil if it is gone
	ticket string
	doubt  bool   // an attempt may have queued it
	begun  bool   // an attempt has begun, and may have queued it
	passed bool   // the line is settled up to it
	at     uint64 // where it waits for a time; 0: it does not
}

// Find returns the state of the notification that [Queue.Enqueue] enqueued under a key within
// the last 24 hours. It returns [ErrUnknownKey] if there is none.
func (q *Queue) Find(ctx context.Context, key string) (Found, error) {
	seq, err := q.known(ctx, key)
	if err != nil {
		return Found{}, fmt.Errorf("queue: looking for the key %q: %w", key, err)
	}
	if seq == 0 {
		return Found{}, ErrUnknownKey
	}
	return q.become(ctx, seq)
}

// known returns the line's sequence number for a key, or 0 if the line does not know it. It
// publishes a message that JetStream refuses, but only after JetStream has looked up the key.
func (q *Queue) known(ctx context.Context, key string) (uint64, error) {
	line, err := q.info(ctx, q.line)
	if err != nil {
		return 0, err
	}
	m := nats.NewMsg(q.plainSubject())
	m.Header.Set(jetstream.MsgIDHeader, key)
	never := jetstream.WithExpectLastMsgID("none, " + uuid.NewString())
	if line.Config.Replicas > 1 { // a cluster would refuse too late, and remember the key
		never = jetstream.WithExpectLastSequence(math.MaxInt64)
	}
	ack, _, err := q.publish(ctx, m, never)
	if err == nil {
		return ack.Sequence, nil
	}
	const codeWrongLastMsgID = 10070
	if api, ok := errors.AsType[*jetstream.APIError](err); isConflict(err) || ok && api.ErrorCode == codeWrongLastMsgID {
		return 0, nil
	}
	return 0, err
}

// become returns the state of the notification with this number in the line.
func (q *Queue) become(ctx context.Context, id uint64) (Found, error) {
	f := Found{id: id}
	workers, err := q.consumerInfo(ctx, q.fresh) // first, since it may move on meanwhile
	if err != nil {
		return f, err
	}
	first, err := q.get(ctx, q.line, id, "")
	if err == nil {
		f.body, f.ticket, f.EnqueuedAt = first.Data, first.Header.Get(ticketHeader), first.Time
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return f, err
	}
	for _, place := range []struct {
		stream  jetstream.Stream
		subject string
	}{{q.retry, q.dueSubject(id)}, {q.retry, q.laterSubject(id)}, {q.retry, q.dueSubject(id)}, {q.dead, q.deadSubject(id)}} {
		msg, err := q.get(ctx, place.stream, 0, place.subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return f, err
		}
		it, _ := itemOf(msg.Header, msg.Data)
		f.Reason, f.Deliveries, f.doubt = it.reason, it.deliveries, !it.firstAttempt.IsZero()
		if place.stream == q.dead {
			f.State, f.Outcome, f.DeadLetter = Dead, outcomeOf(msg.Header), msg.Sequence
		} else {
			f.at, f.Retrying = msg.Sequence, it.reason != ""
		}
		return f, nil
	}
	if _, err := q.get(ctx, q.gone, 0, q.goneSubject(id)); err == nil {
		f.State = Canceled
		return f, nil
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return f, err
	}
	if f.passed = id <= workers.AckFloor.Stream; f.passed {
		f.State = Sent
		return f, nil
	}
	record, err := q.get(ctx, q.attempts, 0, q.begunSubject(fmt.Sprintf("%d.*", id)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	var b begun
	if f.begun = true; json.Unmarshal(record.Data, &b) == nil && b.By == sent {
		f.State = Sent
	}
	return f, nil
}

// recordGone records, for [Stats] and [Queue.Find], that somebody dropped or canceled a
// notification.
func (q *Queue) recordGone(ctx context.Context, id uint64) error {
	_, _, err := q.publish(ctx, nats.NewMsg(q.goneSubject(id)), jetstream.WithExpectLastSequencePerSubject(0))
	if isConflict(err) {
		return nil // as wanted
	}
	return err
}

// Cancel removes the notification that was enqueued under a key within the last 24 hours. It can
// do so while the notification waits for its turn, for its NotBefore, or for its next try after
// a certain failure. If an attempt is in flight or in doubt, it returns [ErrUnderWay]. If there
// is no such notification, it returns [ErrUnknownKey]. After any other error the notification
// may be canceled or not: cancel it again.
func (q *Queue) Cancel(ctx context.Context, key string) error {
	f, err := q.Find(ctx, key)
	if err != nil || f.State == Canceled {
		return err
	}
	if f.State != Waiting || f.doubt || f.begun {
		return ErrUnderWay
	}
	b, err := q.begin(ctx, delivery(f.id, f.Deliveries), begun{By: canceled})
	if err == nil && b.earlier {
		return ErrUnderWay
	}
	if err == nil {
		err = q.recordGone(ctx, f.id)
	}
	// A worker that takes it anyway finds that it was canceled.
	if err == nil && f.at > 0 {
		err = q.remove(ctx, q.retry, f.at)
	} else if err == nil {
		err = q.remove(ctx, q.line, f.id)
	}
	if err != nil {
		return fmt.Errorf("queue: it is not certain that %q is canceled: %w", key, err)
	}
	return nil
}

// delivery names a delivery for begin.
func delivery(id uint64, step int) string { return fmt.Sprintf("%d.%d", id, step) }
