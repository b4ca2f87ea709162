package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// fate is what is to become of a notification that Whop did not confirm.
type fate int

const (
	again fate = iota
	buried
	rekeyed // it goes on under a new key
	excused // again, since the client is to blame
)

// overall is the outcome over all deliveries, given that of this one: what became of an
// earlier one is not known.
func (d *delivery) overall(outcome whop.Outcome) whop.Outcome {
	if d.repeat {
		return whop.Unknown
	}
	return outcome
}

// isReplay reports whether Whop repeated what it answered to the first request under the
// key, which then is what became of the notification, whoever sent that request.
func isReplay(failure *whop.SendError) bool {
	answer, ok := errors.AsType[*whop.APIError](failure)
	return ok && strings.EqualFold(answer.Header.Get("Idempotent-Replayed"), "true")
}

// judge decides on a failure, given the outcome over all deliveries, and whether the queue
// made up the key.
func judge(failure *whop.SendError, outcome whop.Outcome, generated bool) fate {
	misled := errors.Is(failure, whop.ErrUnauthorized) || errors.Is(failure, whop.ErrRedirect)
	switch {
	case misled && !isReplay(failure):
		return excused
	case failure.Retryable():
		return again
	case isReplay(failure) && outcome == whop.Rejected && generated && isTemporary(failure):
		return rekeyed
	}
	return buried
}

// isTemporary reports whether the refusal would have been retried, were it not a replay.
func isTemporary(failure *whop.SendError) bool {
	answer, ok := errors.AsType[*whop.APIError](failure)
	return ok && (answer.StatusCode == http.StatusRequestTimeout || answer.StatusCode == http.StatusTooManyRequests)
}

// settle carries out what a failure leads to.
func (d *delivery) settle(ctx context.Context, failure *whop.SendError) {
	outcome := failure.Outcome
	if !isReplay(failure) {
		outcome = d.overall(outcome)
	}
	switch judge(failure, outcome, d.item.generated) {
	case buried:
		d.brake.worked()
		d.bury(ctx, outcome, failure)
	case rekeyed:
		d.brake.worked()
		d.rekey(ctx, failure)
	case excused:
		if d.brake.refused() {
			d.stop(fmt.Errorf("%w: %w", errStopped, failure))
		}
		d.again(ctx, failure)
	default:
		if ctx.Err() == nil {
			d.brake.failed(askedOfAll(failure))
		}
		d.again(ctx, failure)
	}
}

// askedOfAll is the wait that a failure asks for of all notifications, not of this alone.
func askedOfAll(failure *whop.SendError) time.Duration {
	if errors.Is(failure, whop.ErrRateLimited) {
		return failure.RetryAfter
	}
	return 0
}

func (d *delivery) done(ctx context.Context, receipt *whop.Receipt) {
	d.confirm(ctx)
	if d.logger.Enabled(ctx, slog.LevelDebug) {
		d.logger.DebugContext(ctx, "queue: sent", "idempotency_key", d.item.key, "delivery", d.count, "replayed", receipt.Replayed)
	}
	d.observe(ctx, Event{Receipt: receipt})
}

// again gives the notification back, for a later delivery.
func (d *delivery) again(ctx context.Context, failure *whop.SendError) {
	wait := retryDelay(d.count, failure.RetryAfter)
	if ctx.Err() != nil || errors.Is(failure, errEnding) {
		wait = time.Second // for it was not Whop that failed
	}
	if err := d.msg.NakWithDelay(wait); err != nil {
		d.logger.WarnContext(ctx, "queue: a notification could not be given back; the server does so by itself in 10 s", "idempotency_key", d.item.key, "error", err)
	}
	d.logger.WarnContext(ctx, "queue: not sent yet, will try again", "idempotency_key", d.item.key, "delivery", d.count, "retry_in", wait, "error", failure)
	d.observe(ctx, Event{Err: failure, RetryIn: wait})
}

// leave gives the notification back where the queue's server is the reason.
func (d *delivery) leave(ctx context.Context, err error) {
	const wait = time.Second
	_ = d.msg.NakWithDelay(wait) // if it does not arrive either, the server gives it out in ackWait
	if ctx.Err() == nil {
		d.brake.failed(0)
		d.logger.WarnContext(ctx, "queue: not tried, since the queue's server failed; will try again", "idempotency_key", d.item.key, "error", err)
	}
	d.observe(ctx, Event{Err: err, RetryIn: wait})
}

// bury makes a dead letter of the notification.
func (d *delivery) bury(ctx context.Context, outcome whop.Outcome, reason error) {
	if d.addDead(ctx, outcome, reason) {
		d.confirm(ctx)
		d.logger.ErrorContext(ctx, "queue: given up, now a dead letter", "idempotency_key", d.item.key, "delivery", d.count, "outcome", outcome, "error", reason)
		d.observe(ctx, Event{Err: reason, Dead: true})
	}
}

// rekey enqueues the notification again under a new key. If that is interrupted and done
// again, the message ids make it one.
func (d *delivery) rekey(ctx context.Context, failure *whop.SendError) {
	next := d.item
	next.key = uuid.NewString()
	settled := nats.NewMsg(d.rekeyedSubject()) // for Stats
	settled.Header.Set(jetstream.MsgIDHeader, fmt.Sprintf("rekeyed %d", d.seq))
	_, err := d.js.PublishMsg(ctx, settled)
	if err == nil {
		_, err = d.js.PublishMsg(ctx, next.message(d.plainSubject(), fmt.Sprintf("rekeyed %d", d.seq)))
	}
	if err == nil {
		err = d.Sync(ctx)
	}
	if err != nil {
		d.leave(ctx, err)
		return
	}
	d.confirm(ctx)
	d.logger.WarnContext(ctx, "queue: will try again under a new key, since Whop repeats its refusal to the old one", "idempotency_key", d.item.key, "new_key", next.key, "error", failure)
	d.observe(ctx, Event{Err: failure})
}

// addDead publishes a dead letter: one, also if it is interrupted and done again within a day.
func (d *delivery) addDead(ctx context.Context, outcome whop.Outcome, reason error) (added bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchWait) // also when the time to drain is over
	defer cancel()
	first := time.Time{}
	if outcome == whop.Unknown {
		var err error
		if first, err = d.firstAttempt(ctx); err != nil {
			d.leave(ctx, err)
			return false
		}
	}
	_, err := d.js.PublishMsg(ctx, d.deadMessage(outcome, oneLine(reason.Error()), first))
	if errors.Is(err, nats.ErrMaxPayload) { // from elsewhere, and as large as can be
		_, err = d.js.PublishMsg(ctx, d.deadMessage(outcome, "", first))
	}
	if err == nil {
		err = d.Sync(ctx)
	}
	if err != nil {
		d.leave(ctx, fmt.Errorf("it could not become a dead letter (%w): %w", reason, err))
		return false
	}
	return true
}

// confirm takes the notification out of the queue. If the server does not hear it, it gives
// it out again, and Whop or the dead letters know it by its key.
func (d *delivery) confirm(ctx context.Context) {
	if err := d.msg.Ack(); err != nil {
		d.logger.WarnContext(ctx, "queue: a notification that is done will come again", "idempotency_key", d.item.key, "error", err)
		return
	}
	d.confirmed = true
}

func (d *delivery) observe(ctx context.Context, e Event) {
	if d.observer == nil {
		return
	}
	e.Notification, e.Position, e.Delivery = d.item.notification, d.item.position, d.count
	d.observer(ctx, e)
}

// retryDelay is the wait before delivery n+1: what the server asked for, and up to 10 %
// more; else 1 s, doubled each time up to 5 min, less up to 25 %.
func retryDelay(n int, asked time.Duration) time.Duration {
	if asked > 0 {
		asked = min(asked, keyMemory) // then it may ask for more
		return asked + rand.N(min(asked/10, time.Minute)+1)
	}
	const base, most = time.Second, 5 * time.Minute
	wait := most
	if n < 10 {
		wait = min(base<<(n-1), most)
	}
	return wait - rand.N(wait/4)
}
