package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	// attemptTime is how long attempts may be made from the first one on, whatever they
	// have to wait for.
	attemptTime   = keyLifetime + attemptMargin
	attemptMargin = (keyMemory - keyLifetime) / 2
)

// Event is what became of a notification that a worker took from the queue.
type Event struct {
	Notification whop.Notification // with its idempotency key; the zero value if it could not be read
	Position     uint64            // of EnqueueAt; 0: none
	Delivery     int               // how often a worker has got it, from 1
	Receipt      *whop.Receipt     // nil if Err is not
	Err          error             // why it is not queued at Whop, most often a *whop.SendError
	Dead         bool              // it is a dead letter now
	RetryIn      time.Duration     // when it will be given to a worker again; 0: it will not, unless under a new key
}

// delivery is one notification in the hands of a worker.
type delivery struct {
	*worker
	msg      jetstream.Msg
	item     item
	seq      uint64
	count    int  // of deliveries, this one included, as far as the server knows
	repeat   bool // it may have been attempted by an earlier one
	enqueued time.Time

	confirmed bool // to the server, that it is done
}

// deliver makes of one delivery what is to be made of it, and tells the server. What was
// never attempted before is attempted within fresh.
func (d *delivery) deliver(ctx, fresh context.Context) {
	var err error
	if d.item, err = itemOf(d.msg.Headers(), d.msg.Data()); err != nil {
		d.bury(ctx, d.overall(whop.NotSent), err)
		return
	}
	switch tooOld, err := d.tooOld(ctx); {
	case err != nil:
		d.leave(ctx, err)
		return
	case tooOld != nil:
		d.bury(ctx, whop.Unknown, tooOld)
		return
	}
	err = d.attempts.reach(ctx, d.seq)
	if err == nil && d.item.position > 0 {
		err = d.attempts.last(ctx, d.seq, d.seen.Load())
	}
	if err != nil {
		d.leave(ctx, err)
		return
	}
	attempting := fresh
	if earlier := d.earlier(); !earlier.IsZero() {
		var cancel context.CancelFunc
		attempting, cancel = context.WithTimeout(ctx, max(earlier.Add(attemptTime).Sub(d.now()), attemptMargin))
		defer cancel()
	}
	receipt, err := d.client.Send(attempting, d.item.notification)
	failure, failed := errors.AsType[*whop.SendError](err)
	if !failed {
		d.brake.worked()
		d.done(ctx, receipt)
		return
	}
	d.settle(ctx, failure)
}

// tooOld says why the notification must not be attempted any more: it may have been, so
// long ago that Whop would not know its key again. It is nil where it may.
func (d *delivery) tooOld(ctx context.Context) (reason, err error) {
	if d.item.firstAttempt.IsZero() && d.now().Sub(d.enqueued) < keyLifetime {
		return nil, nil // and so is every attempt
	}
	first, err := d.firstAttempt(ctx)
	if err != nil || d.now().Sub(first) < keyLifetime {
		return nil, err
	}
	return fmt.Errorf("not sent again: it may have been queued at Whop since %s, and Whop remembers a key for no more than 24 hours", first.UTC().Format(time.RFC3339)), nil
}

// earlier is since when deliveries before this one may have attempted the notification;
// zero if none can have.
func (d *delivery) earlier() time.Time {
	if d.item.firstAttempt.IsZero() && d.repeat {
		return d.enqueued
	}
	return d.item.firstAttempt
}

// firstAttempt is the earliest time at which the notification may have been attempted.
func (d *delivery) firstAttempt(ctx context.Context) (time.Time, error) {
	switch {
	case !d.item.firstAttempt.IsZero():
		return d.item.firstAttempt, nil
	case d.now().Sub(d.enqueued) >= attemptLogMemory:
		return d.enqueued, nil
	}
	first, err := d.attempts.since(ctx, d.seq)
	if first.Before(d.enqueued) {
		first = d.enqueued
	}
	return first, err
}
