package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// DeadLetter is a notification that the queue has given up. The queue keeps it until you retry
// or drop it.
type DeadLetter struct {
	ID             uint64            // identifies it to Retry and Drop
	Notification   whop.Notification // with its key; the zero value if Body is no notification
	Body           []byte            // as stored in the queue
	IdempotencyKey string
	KeySpent       bool         // Whop replays its refusal to this key: only a new key can succeed
	Position       uint64       // of EnqueueAt; 0: none
	Outcome        whop.Outcome // over all deliveries: NotSent and Rejected are certain
	Reason         string       // the error of the last delivery, one line without control characters
	Deliveries     int          // how often it was taken, as [Event] counts
	EnqueuedAt     time.Time
	DiedAt         time.Time
	// FirstAttempt is the time of the first attempt that may have queued it; zero if the
	// outcome is certain.
	FirstAttempt time.Time
}

// ErrNoDeadLetter says that no dead letter has the ID.
var ErrNoDeadLetter = errors.New("queue: no such dead letter")

// ErrMayRepeat says that Whop may have queued the dead letter so long ago that a retry
// could notify a second time.
var ErrMayRepeat = errors.New("queue: a retry could notify a second time")

// Dead yields the dead letters, oldest first. An error ends it.
func (q *Queue) Dead(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for next := uint64(1); ; {
			msg, err := q.get(ctx, q.dead, next, q.name+".dead.*")
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(DeadLetter{}, fmt.Errorf("queue: reading the dead letters: %w", err))
				return
			}
			if !yield(deadLetterOf(msg), nil) {
				return
			}
			next = msg.Sequence + 1
		}
	}
}

// DeadLetter returns the dead letter with this ID, or [ErrNoDeadLetter].
func (q *Queue) DeadLetter(ctx context.Context, id uint64) (DeadLetter, error) {
	msg, err := q.getDead(ctx, id)
	if err != nil {
		return DeadLetter{}, err
	}
	return deadLetterOf(msg), nil
}

func (q *Queue) getDead(ctx context.Context, id uint64) (*jetstream.RawStreamMsg, error) {
	if id == 0 {
		return nil, fmt.Errorf("%w: 0", ErrNoDeadLetter)
	}
	msg, err := q.get(ctx, q.dead, id, "")
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, fmt.Errorf("%w: %d", ErrNoDeadLetter, id)
	}
	if err != nil {
		return nil, fmt.Errorf("queue: reading dead letter %d: %w", id, err)
	}
	return msg, nil
}

func deadLetterOf(msg *jetstream.RawStreamMsg) DeadLetter {
	it, err := itemOf(msg.Header, msg.Data)
	letter := DeadLetter{
		ID:             msg.Sequence,
		Body:           it.body,
		IdempotencyKey: it.key,
		KeySpent:       it.spent,
		Position:       it.position,
		Outcome:        outcomeOf(msg.Header),
		Reason:         it.reason,
		Deliveries:     it.deliveries,
		EnqueuedAt:     it.enqueued,
		DiedAt:         msg.Time,
		FirstAttempt:   it.firstAttempt,
	}
	if err == nil {
		letter.Notification = it.notification
	}
	return letter
}

func outcomeOf(header nats.Header) whop.Outcome {
	for _, o := range []whop.Outcome{whop.NotSent, whop.Rejected} {
		if header.Get(outcomeHeader) == o.String() {
			return o
		}
	}
	return whop.Unknown
}

// retryPrefix precedes the ID of a dead letter in the record of its retry.
const retryPrefix = "retry."

// Retry puts a dead letter back into the queue.
//
// If its outcome is unknown, it keeps its key, so that Whop recognizes it. Once the key may be
// 23 hours old, a retry could notify a second time: Retry returns [ErrMayRepeat], unless
// acceptRepeat is true. Then the dead letter gets a new key, as it does if the old one is spent.
//
// If Whop certainly did not queue it, it gets a new key if Whop replays its refusal to the old
// one (DeadLetter.KeySpent), or if the queue generated the old one. Otherwise it keeps your
// key, because an earlier send under that key may be in doubt.
//
// If it is not a valid notification, Retry returns a [*whop.ValidationError]. If a Drop of it broke
// off, Retry ends that, and returns [ErrNoDeadLetter]. After any other error it
// may still be a dead letter. It is safe to retry it once more: an interrupted retry continues
// under the key that it began with.
func (q *Queue) Retry(ctx context.Context, id uint64, acceptRepeat bool) (Ticket, error) {
	msg, err := q.getDead(ctx, id)
	if err != nil {
		return Ticket{}, err
	}
	it, err := itemOf(msg.Header, msg.Data)
	if err != nil {
		return Ticket{}, fmt.Errorf("queue: dead letter %d: %w", id, err)
	}
	if dropped, err := q.isCanceled(ctx, delivery(it.id, it.deliveries+1)); err != nil || dropped {
		if err == nil {
			err = q.Drop(ctx, id)
		}
		return Ticket{}, cmp.Or(err, fmt.Errorf("%w: %d was dropped", ErrNoDeadLetter, id))
	}
	fail := func(what string, err error) (Ticket, error) {
		return Ticket{IdempotencyKey: it.key}, fmt.Errorf("queue: dead letter %d: %s: %w", id, what, err)
	}
	original := it
	var b begun
	for {
		tooOld := !it.firstAttempt.IsZero() && q.now().Sub(it.firstAttempt) >= keyLifetime
		if tooOld && !acceptRepeat {
			return fail("it may have been queued since "+it.firstAttempt.Format(time.RFC3339), ErrMayRepeat)
		}
		certain := it.firstAttempt.IsZero() && outcomeOf(msg.Header) != whop.Unknown
		if tooOld || certain && (it.generated || it.spent) || it.spent && acceptRepeat {
			it.key, it.generated, it.spent, it.firstAttempt = uuid.NewString(), true, false, time.Time{}
		}
		if b, err = q.begin(ctx, fmt.Sprintf("%s%d", retryPrefix, id), begun{By: uuid.NewString(), Key: it.key}); err != nil {
			return fail("beginning its retry", err)
		}
		if !b.earlier {
			break
		}
		// A retry that was interrupted may have sent it under its key since then.
		it = original
		if b.Key != "" && b.Key != it.key {
			it.key, it.generated, it.spent, it.firstAttempt = b.Key, true, false, time.Time{}
		}
		if it.firstAttempt.IsZero() {
			it.firstAttempt = b.At
		}
		if q.now().Sub(it.firstAttempt) < keyLifetime {
			break
		}
		if !acceptRepeat {
			continue // to the error
		}
		if err := q.ended(ctx, b); err != nil {
			return fail("beginning its retry anew", err)
		}
	}
	it.deliveries++
	it.letter = id
	if _, err := q.later(ctx, &it, msg.Time); err != nil { // a past time: at once
		return fail("it is not certain whether it is in the queue again", err)
	}
	if err := q.remove(ctx, q.dead, id); err != nil {
		return fail("it is in the queue again, but could not be removed here", err)
	}
	_ = q.ended(ctx, b) // if this fails, prune removes it
	return Ticket{IdempotencyKey: it.key}, nil
}

// Drop removes a dead letter for good. It returns [ErrUnderWay] if a Retry of it broke off, and a
// worker has taken the notification since. After any other error it may be dropped or not: drop it
// again.
func (q *Queue) Drop(ctx context.Context, id uint64) error {
	msg, err := q.getDead(ctx, id)
	if err != nil {
		return err
	}
	// A Retry that broke off may have put it back: keep that from its delivery.
	if it, _ := itemOf(msg.Header, msg.Data); it.id > 0 {
		err = q.cancel(ctx, it.id, it.deliveries+1, time.Time{})
	}
	if err == nil {
		err = q.remove(ctx, q.dead, id)
	}
	if err != nil {
		return fmt.Errorf("queue: dropping dead letter %d: %w", id, err)
	}
	return nil
}
