package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// DeadLetter is a notification that the queue has given up. It stays until somebody
// retries or drops it.
type DeadLetter struct {
	ID             uint64            // by which Retry and Drop know it
	Notification   whop.Notification // with its key; the zero value if Body is no notification
	Body           []byte            // as it was in the queue
	IdempotencyKey string
	Position       uint64       // of EnqueueAt; 0: none
	Outcome        whop.Outcome // over all deliveries: NotSent and Rejected are certain
	Reason         string       // the error of the last delivery
	Deliveries     int          // how often a worker had it
	EnqueuedAt     time.Time
	DiedAt         time.Time
	// FirstAttempt is when it may have been attempted for the first time; zero if there
	// is no doubt about the outcome.
	FirstAttempt time.Time
}

// ErrNoDeadLetter is an ID that none of the dead letters has.
var ErrNoDeadLetter = errors.New("queue: no such dead letter")

// ErrMayRepeat is a dead letter that may have been queued at Whop, so long ago that to
// retry it could notify a second time.
var ErrMayRepeat = errors.New("queue: a retry could notify a second time")

// The headers of a dead letter, besides those of the notification.
const (
	outcomeHeader    = "Whop-Outcome"
	reasonHeader     = "Whop-Reason"
	deliveriesHeader = "Whop-Deliveries"
	enqueuedHeader   = "Whop-Enqueued" // RFC 3339
)

// maxReason is how much of an error a dead letter keeps, in bytes.
const maxReason = 8 << 10

// deadMessage encodes a delivery that is given up.
func (d *delivery) deadMessage(outcome whop.Outcome, reason string, firstAttempt time.Time) *nats.Msg {
	it := d.item
	it.firstAttempt = firstAttempt
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	m := it.message(d.deadSubject(), strconv.FormatUint(d.seq, 10))
	m.Header.Set(outcomeHeader, outcome.String())
	m.Header.Set(reasonHeader, reason)
	m.Header.Set(deliveriesHeader, strconv.Itoa(d.count))
	setTime(m.Header, enqueuedHeader, d.enqueued)
	return m
}

// Dead gives the dead letters, oldest first. An error ends it.
func (q *Queue) Dead(ctx context.Context) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		for next := uint64(1); ; {
			msg, err := q.dead.GetMsg(ctx, next, jetstream.WithGetMsgSubject(q.deadSubject()))
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

// DeadLetter gives one of them, or [ErrNoDeadLetter].
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
	msg, err := q.dead.GetMsg(ctx, id)
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
		Position:       it.position,
		Outcome:        outcomeOf(msg.Header),
		Reason:         msg.Header.Get(reasonHeader),
		EnqueuedAt:     timeOf(msg.Header, enqueuedHeader),
		DiedAt:         msg.Time,
		FirstAttempt:   it.firstAttempt,
	}
	letter.Deliveries, _ = strconv.Atoi(msg.Header.Get(deliveriesHeader))
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

// Retry puts a dead letter back into the queue. If it is certain that Whop did not queue
// it, it gets a new idempotency key, since Whop would repeat its refusal to the old one. If
// that is unknown, it keeps its key, by which Whop knows it; once that key is 23 hours old
// it may notify a second time, and the error is [ErrMayRepeat], unless acceptRepeat is true:
// then it gets a new key. One that is no valid notification gives a
// [*whop.ValidationError]. On an error it stays a dead letter, and to retry it once more is
// safe: what was interrupted goes on under the key that it had begun with.
func (q *Queue) Retry(ctx context.Context, id uint64, acceptRepeat bool) (Ticket, error) {
	msg, err := q.getDead(ctx, id)
	if err != nil {
		return Ticket{}, err
	}
	it, err := itemOf(msg.Header, msg.Data)
	if err != nil {
		return Ticket{}, fmt.Errorf("queue: dead letter %d: %w", id, err)
	}
	begun, revision, err := q.begunRetry(ctx, id)
	if err != nil {
		return Ticket{}, fmt.Errorf("queue: looking whether dead letter %d was retried: %w", id, err)
	}
	certain := outcomeOf(msg.Header) != whop.Unknown
	if revision > 0 {
		it.key, it.firstAttempt, certain = begun.Key, begun.Since, false
	}
	tooOld := !certain && q.now().Sub(it.firstAttempt) >= keyLifetime
	if tooOld && !acceptRepeat {
		return Ticket{}, fmt.Errorf("%w: dead letter %d may have been queued since %s", ErrMayRepeat, id, it.firstAttempt.Format(time.RFC3339))
	}
	if certain || tooOld {
		it.key, it.generated, it.firstAttempt = uuid.NewString(), true, time.Time{}
	}
	if err := q.beginRetry(ctx, id, revision, it.key, it.firstAttempt); err != nil {
		return Ticket{}, fmt.Errorf("queue: beginning to retry dead letter %d: %w", id, err)
	}
	// Known by the dead letter, not by the key, which the queue still remembers.
	ack, err := q.js.PublishMsg(ctx, it.message(q.plainSubject(), fmt.Sprintf("dead letter %d", id)))
	if err == nil {
		err = q.Sync(ctx)
	}
	if err != nil {
		return Ticket{}, fmt.Errorf("queue: not certain that dead letter %d is in the queue again: %w", id, err)
	}
	if err := q.dead.DeleteMsg(ctx, id); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return Ticket{}, fmt.Errorf("queue: dead letter %d is in the queue again, but could not be removed here: %w", id, err)
	}
	_ = q.limits.Delete(ctx, retryKey(id)) // else it is one key too many in the bucket
	return Ticket{IdempotencyKey: it.key, Duplicate: ack.Duplicate}, nil
}

// retryBegun is what is kept of a retry until the dead letter is gone.
type retryBegun struct {
	Key   string    `json:"key"`
	Since time.Time `json:"since"` // when it may have been attempted for the first time
}

func retryKey(id uint64) string { return fmt.Sprintf("retry.%d", id) }

// begunRetry finds out whether a retry was begun and interrupted: the notification may be on
// its way under that key. revision is 0 if there was none.
func (q *Queue) begunRetry(ctx context.Context, id uint64) (begun retryBegun, revision uint64, err error) {
	entry, err := q.limits.Get(ctx, retryKey(id))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return begun, 0, nil
	case err != nil:
		return begun, 0, err
	}
	return begun, entry.Revision(), json.Unmarshal(entry.Value(), &begun)
}

// beginRetry writes down under which key a dead letter is retried. It fails if somebody else
// does the same just now.
func (q *Queue) beginRetry(ctx context.Context, id, revision uint64, key string, since time.Time) error {
	if since.IsZero() {
		since = q.now()
	}
	value, err := json.Marshal(retryBegun{key, since})
	if err != nil {
		return err
	}
	if revision > 0 {
		_, err = q.limits.Update(ctx, retryKey(id), value, revision)
	} else {
		_, err = q.limits.Create(ctx, retryKey(id), value)
	}
	return err
}

// Drop removes a dead letter for good.
func (q *Queue) Drop(ctx context.Context, id uint64) error {
	if _, err := q.getDead(ctx, id); err != nil {
		return err
	}
	if err := q.dead.DeleteMsg(ctx, id); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("queue: dropping dead letter %d: %w", id, err)
	}
	return nil
}
