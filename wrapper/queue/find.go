package queue

import (
	"context"
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
	Deliveries int          // how often it was taken, as [Event] counts; 0 or too low once it is sent
	Outcome    whop.Outcome // of a dead letter; meaningless in any other state
	Reason     string       // why it is dead, or not sent yet
	DeadLetter uint64       // its ID, if it is dead
	EnqueuedAt time.Time

	id        uint64
	body      []byte // nil if it is gone
	ticket    string
	notBefore time.Time
	doubt     bool   // an attempt may have queued it
	begun     bool   // an attempt has begun, and may have queued it
	passed    bool   // the line is settled up to it
	at        uint64 // where it waits for a time; 0: it does not
}

// past reports whether the notification has moved on since delivery n.
func (f *Found) past(n int) bool {
	return f.State == Sent || f.State == Canceled || f.Deliveries > n
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
		f.notBefore = parseTime(first.Header.Get(notBeforeHeader))
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return f, err
	}
	inLine := f
	for _, place := range []struct {
		stream  jetstream.Stream
		subject string
	}{{q.dead, q.deadSubject(id)}, {q.retry, q.dueSubject(id)}, {q.retry, q.laterSubject(id)}, {q.retry, q.dueSubject(id)}, {q.dead, q.deadSubject(id)}} {
		msg, err := q.get(ctx, place.stream, 0, place.subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return f, err
		}
		it, _ := itemOf(msg.Header, msg.Data)
		if it.deliveries < f.Deliveries {
			continue // a step broke off before it removed this
		}
		f = inLine
		f.Reason, f.Deliveries, f.doubt = it.reason, it.deliveries, !it.firstAttempt.IsZero()
		if place.stream == q.dead {
			f.State, f.Outcome, f.DeadLetter = Dead, outcomeOf(msg.Header), msg.Sequence
		} else {
			f.at, f.Retrying = msg.Sequence, it.reason != ""
		}
	}
	if _, err := q.get(ctx, q.gone, 0, q.goneSubject(id)); err == nil {
		f = inLine
		f.State = Canceled
		return f, nil
	} else if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return f, err
	}
	if f.State == Dead || f.at > 0 {
		return f, nil
	}
	if f.passed = id <= workers.AckFloor.Stream; f.passed {
		f.State = Sent
		return f, nil
	}
	for next := uint64(1); ; {
		record, err := q.get(ctx, q.attempts, next, q.begunSubject(fmt.Sprintf("%d.*", id)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return f, nil
		}
		if err != nil {
			return f, err
		}
		switch b, _ := begunOf(record); {
		case b.By == sent:
			f.State = Sent
		case b.By != canceled && !b.At.Before(f.notBefore): // before that, nothing is attempted
			f.begun = true
		}
		next = record.Sequence + 1
	}
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
//
// If no worker had seen the notification yet, its key is free again once the NATS server has
// restarted: an Enqueue after that sends it.
func (q *Queue) Cancel(ctx context.Context, key string) error {
	f, err := q.Find(ctx, key)
	if err != nil || f.State == Canceled {
		return err
	}
	if f.State != Waiting || f.doubt || f.begun {
		return ErrUnderWay
	}
	if err := q.cancel(ctx, f.id, f.Deliveries, f.notBefore); err != nil {
		if errors.Is(err, ErrUnderWay) {
			return err
		}
		return fmt.Errorf("queue: it is not certain that %q is canceled: %w", key, err)
	}
	return nil
}

// cancel keeps a notification from its delivery n, and removes it from where it waits for that.
// It returns ErrUnderWay if that delivery has begun.
func (q *Queue) cancel(ctx context.Context, id uint64, n int, notBefore time.Time) error {
	b, err := q.begin(ctx, delivery(id, n), begun{By: canceled})
	if err == nil && b.earlier && b.At.Before(notBefore) { // a worker puts it aside, for the next delivery
		n++
		b, err = q.begin(ctx, delivery(id, n), begun{By: canceled})
	}
	if err != nil {
		return err
	}
	if b.earlier {
		return ErrUnderWay
	}
	f, err := q.become(ctx, id) // once more: it may have moved on before the record stood
	if err != nil {
		return err
	}
	if f.State != Canceled && (f.past(n) || f.begun) {
		_ = q.ended(ctx, b)
		return ErrUnderWay
	}
	if err := q.recordGone(ctx, id); err != nil {
		return err
	}
	// A worker that takes it anyway finds that it was canceled.
	switch {
	case f.at > 0:
		return q.remove(ctx, q.retry, f.at)
	case f.State == Waiting:
		return q.remove(ctx, q.line, id)
	}
	return nil
}

// isCanceled reports whether a cancellation has begun this delivery.
func (q *Queue) isCanceled(ctx context.Context, what string) (bool, error) {
	msg, err := q.get(ctx, q.attempts, 0, q.begunSubject(what))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, _ := begunOf(msg)
	return b.By == canceled, nil
}

// delivery names a delivery for begin.
func delivery(id uint64, n int) string { return fmt.Sprintf("%d.%d", id, n) }
