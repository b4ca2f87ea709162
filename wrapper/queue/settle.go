package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// fate is what happens to a notification after a failed delivery.
type fate int

const (
	untried fate = iota // it was not attempted, and stays where it is
	again               // later
	refused             // later, unless the refusal is about the notification
	rekeyed             // later, under a new key
	buried
)

// judge decides what follows a failure. outcome covers all deliveries; generated says that the
// queue generated the key.
func judge(failure *whop.SendError, outcome whop.Outcome, generated bool) fate {
	answer, answered := errors.AsType[*whop.APIError](failure)
	replay := answered && answer.Replayed
	switch {
	case errors.Is(failure, whop.ErrInvalidNotification):
		return buried
	case failure.Attempts == 0:
		return untried
	case answered && !replay && mayBeCredential(answer):
		return refused
	case failure.Retryable():
		return again
	case replay && outcome == whop.Rejected && generated && passes(answer):
		return rekeyed
	}
	return buried
}

// mayBeCredential reports whether a refusal may be about the API key, its permissions or the
// base URL, and so would hit every notification.
func mayBeCredential(answer *whop.APIError) bool {
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone:
		return true
	}
	return errors.Is(answer, whop.ErrRedirect)
}

// passes reports whether the client would have retried the refusal if it were not a replay.
func passes(answer *whop.APIError) bool {
	return answer.StatusCode == http.StatusRequestTimeout || answer.StatusCode == http.StatusTooManyRequests
}

// proves reports whether the answer proves that Whop accepts the API key.
func proves(failure *whop.SendError) bool {
	answer, ok := errors.AsType[*whop.APIError](failure)
	return ok && (answer.Replayed || errors.Is(answer, whop.ErrNotQueued) || (answer.Type != "" || answer.Code != "") && answer.StatusCode < 500 && !mayBeCredential(answer))
}

// settle carries out what judge decided on a failure.
func (h *handling) settle(ctx, settling context.Context, failure *whop.SendError) {
	w := h.worker
	answer, answered := errors.AsType[*whop.APIError](failure)
	outcome := failure.Outcome
	if !h.doubt.IsZero() {
		outcome = whop.Unknown
	} else if outcome == whop.Unknown {
		h.doubt = h.begun.At
	}
	h.item.spent = answered && answer.Replayed
	if proves(failure) {
		w.answered(false)
	}
	f := judge(failure, outcome, h.item.generated)
	if f == refused && !h.item.refusedSince.IsZero() && w.refusals.provenSince(h.item.refusedSince.Add(-time.Duration(w.ahead.Load()))) {
		f = buried
	}
	if f != untried {
		w.share.count(h.retry && f != buried)
	}
	switch f {
	case untried:
		h.giveBack(settling, ctx.Err() != nil || errors.Is(failure, errEnding), failure)
	case buried:
		w.brake.worked()
		reason := error(failure)
		if outcome == whop.Unknown && errors.Is(failure, whop.ErrIdempotencyMismatch) {
			reason = fmt.Errorf("whether it was queued is unknown: an earlier attempt under its key was another request, as after a change of the API version or base URL: %w", failure)
		}
		h.bury(settling, outcome, reason)
	case refused:
		w.refusals.add(h.item.id, targetOf(h.item.body), failure)
		if h.item.refusedSince.IsZero() {
			h.item.refusedSince = w.serverTime()
		}
		h.again(settling, failure, retryDelay(h.item.deliveries+2, 0))
	case rekeyed:
		old := h.item.key
		h.item.key, h.item.spent = uuid.NewString(), false
		w.queue.logger.WarnContext(ctx, "queue: will try again under a new key, since Whop repeats its refusal to the old one", "old_key", old, "idempotency_key", h.item.key)
		h.again(settling, failure, retryDelay(1, failure.RetryAfter))
	default:
		switch {
		case ctx.Err() != nil: // it was not Whop that failed
			h.again(settling, failure, time.Second)
			return
		case errors.Is(failure, whop.ErrRateLimited):
			w.brake.asked(failure.RetryAfter)
		case !h.retry:
			w.brake.failed()
		}
		h.again(settling, failure, retryDelay(h.item.deliveries+1, failure.RetryAfter))
	}
}

// giveBack returns a notification that was not attempted to its place in the queue.
func (h *handling) giveBack(ctx context.Context, ending bool, failure *whop.SendError) {
	wait := min(max(failure.RetryAfter, time.Second), time.Minute)
	switch {
	case ending:
		wait = 0
	case errors.Is(failure, jetstream.ErrStreamNotFound):
		h.worker.stop(fmt.Errorf("%w, since the queue's bucket is gone: %w", errStopped, failure))
	default:
		h.worker.brake.asked(max(failure.RetryAfter, time.Second))
	}
	h.unbegin(ctx)
	_ = h.msg.NakWithDelay(wait)
	if !ending && h.worker.warned.now() {
		h.worker.queue.logger.WarnContext(ctx, "queue: not attempted yet, will try again", "idempotency_key", h.item.key, "retry_in", wait, "error", failure)
	}
	h.observe(ctx, Event{Err: failure, RetryIn: max(wait, time.Millisecond)})
}

// unbegin removes the record of a delivery that made no attempt. It tries for storeTime, since a
// record that stays is a doubt.
func (h *handling) unbegin(ctx context.Context) {
	if h.begun.earlier {
		return
	}
	for end := time.Now().Add(storeTime); ; {
		err := h.worker.queue.ended(ctx, h.begun)
		if err == nil {
			return
		}
		if time.Now().After(end) || !sleep(ctx, 250*time.Millisecond) {
			h.worker.queue.logger.WarnContext(ctx, "queue: could not record that a notification was not attempted", "idempotency_key", h.item.key, "error", err)
			return
		}
	}
}

// again stores a notification for its next try.
func (h *handling) again(ctx context.Context, failure *whop.SendError, wait time.Duration) {
	next := h.item
	next.deliveries++
	next.firstAttempt = h.doubt
	next.reason = oneLine(failure.Error())
	q := h.worker.queue
	stored, err := q.later(ctx, &next, h.worker.serverTime().Add(wait))
	if err == nil && !stored && !h.doubt.IsZero() {
		// What is stored may know nothing of this doubt. The record of an attempt shows it.
		_, err = q.begin(ctx, delivery(next.id, next.deliveries), begun{By: uuid.NewString(), At: h.doubt})
	}
	if err != nil {
		h.leave(ctx, err)
		return
	}
	h.confirm(ctx)
	q.logger.WarnContext(ctx, "queue: an attempt failed, will try again", "idempotency_key", h.item.key, "delivery", next.deliveries, "retry_in", wait, "error", failure)
	h.observe(ctx, Event{Err: failure, RetryIn: wait})
}

// postpone stores a notification until its NotBefore, which is after this wait.
func (h *handling) postpone(ctx context.Context, wait time.Duration) {
	if h.item.deliveries > 0 { // the server's clock is ahead, and would give it out again at once
		h.unbegin(ctx)
		_ = h.msg.NakWithDelay(wait)
		return
	}
	next := h.item
	next.deliveries++
	if _, err := h.worker.queue.later(ctx, &next, next.notBefore); err != nil {
		h.leave(ctx, err)
		return
	}
	h.confirm(ctx)
}

// later stores a notification that a worker may take at a time of the server's clock. stored is
// false if another worker stored it before.
func (q *Queue) later(ctx context.Context, it *item, at time.Time) (stored bool, err error) {
	m := it.message(q.laterSubject(it.id), delivery(it.id, it.deliveries))
	m.Header.Set(jetstream.ScheduleHeader, "@at "+formatTime(at))
	m.Header.Set(jetstream.ScheduleTargetHeader, q.dueSubject(it.id))
	ack, _, err := q.publish(ctx, m)
	if err != nil {
		return false, fmt.Errorf("putting it aside until its next try: %w", err)
	}
	return !ack.Duplicate, nil
}

// leave returns a notification to the queue after a failure of the queue's server. The record of
// the attempt stays, since the attempt may have been made.
func (h *handling) leave(ctx context.Context, err error) {
	const wait = time.Second
	_ = h.msg.NakWithDelay(wait) // if this is lost too, the server redelivers after ackWait
	if h.worker.warned.now() {
		h.worker.queue.logger.WarnContext(ctx, "queue: the queue's server failed; will try again", "idempotency_key", h.item.key, "error", err)
	}
	h.observe(ctx, Event{Err: err, RetryIn: wait})
	sleep(ctx, wait)
}

// bury makes a dead letter of a notification: only one, even if it is interrupted and repeated.
func (h *handling) bury(ctx context.Context, outcome whop.Outcome, reason error) {
	q := h.worker.queue
	it := h.item
	it.deliveries++
	it.firstAttempt, it.refusedSince, it.reason = time.Time{}, time.Time{}, oneLine(reason.Error())
	if outcome == whop.Unknown {
		it.firstAttempt = h.doubt
	}
	var other uint64 // the dead letter in whose place this one goes; 0: there is none
	for {
		m := it.message(q.deadSubject(it.id), "")
		m.Header.Set(outcomeHeader, outcome.String())
		_, _, err := q.publish(ctx, m, jetstream.WithExpectLastSequencePerSubject(other))
		if isConflict(err) {
			var replace bool
			if other, replace, err = q.knowsLess(ctx, &it, outcome); replace {
				continue
			}
		}
		if errors.Is(err, nats.ErrMaxPayload) && it.body != nil { // another publisher's, of the largest size
			it.reason = fmt.Sprintf("its %d bytes could not be kept beside the reason, and are number %d of the stream %s for a day: %s", len(it.body), it.id, q.name, it.reason)
			it.body, it.key = nil, oneLine(it.key[:min(len(it.key), 255)])
			continue
		}
		if err != nil {
			h.leave(ctx, fmt.Errorf("it could not become a dead letter (%w): %w", reason, err))
			return
		}
		break
	}
	h.confirm(ctx)
	q.logger.ErrorContext(ctx, "queue: given up, now a dead letter", "idempotency_key", oneLine(it.key), "delivery", it.deliveries, "outcome", outcome, "error", it.reason)
	h.observe(ctx, Event{Err: reason, Dead: true, Outcome: outcome})
}

// knowsLess returns the dead letter that a notification has already, and whether it must be replaced:
// because it is left over from before a Retry, or because it says that the outcome is certain, of
// which another worker knew better.
func (q *Queue) knowsLess(ctx context.Context, it *item, outcome whop.Outcome) (id uint64, replace bool, err error) {
	letter, err := q.get(ctx, q.dead, 0, q.deadSubject(it.id))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, false, nil // somebody retried or dropped it
	}
	if err != nil {
		return 0, false, err
	}
	before := parseNumber(letter.Header.Get(deliveriesHeader)) < uint64(it.deliveries)
	return letter.Sequence, before || outcome == whop.Unknown && outcomeOf(letter.Header) != whop.Unknown, nil
}

// confirm acknowledges a notification, and waits for the server's answer. If that is lost, the
// notification comes again; Whop, the retries or the dead letters then recognize it.
func (h *handling) confirm(ctx context.Context) {
	q := h.worker.queue
	for range 2 {
		err := q.ask(ctx, h.msg.DoubleAck)
		if err == nil {
			h.forget(ctx)
			return
		}
		if ctx.Err() != nil || errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			return
		}
		if h.worker.warned.now() {
			q.logger.WarnContext(ctx, "queue: NATS did not confirm that a notification is done", "idempotency_key", h.item.key, "error", err)
		}
	}
}

// lingerTime is how long the record of an attempt stays after it was settled: until the server
// has certainly stored the acknowledgement.
const lingerTime = 2 * time.Second

// forget removes the record of the attempt after lingerTime, or notes that the notification was
// sent if the line does not show it yet. If the worker ends before that, prune removes it.
func (h *handling) forget(ctx context.Context) {
	w, b := h.worker, h.begun
	if b.seq == 0 || h.keep {
		return
	}
	w.parts.Go(func() {
		switch {
		case !sleep(w.ended, lingerTime):
		case h.sent && h.item.id > w.floor.Load():
			_ = w.queue.noteSent(ctx, delivery(h.item.id, h.item.deliveries), b)
		default:
			_ = w.queue.ended(ctx, b)
		}
	})
}

// retryDelay returns the wait before delivery n+1: what the server asked for plus up to 10 %,
// or else 1 s, doubled each time up to 5 min, minus up to 25 %.
func retryDelay(n int, asked time.Duration) time.Duration {
	if asked > 0 {
		asked = min(asked, keyMemory) // it may ask for more after that
		return asked + rand.N(min(asked/10, time.Minute)+1)
	}
	const base, most = time.Second, 5 * time.Minute
	wait := most
	if n < 10 {
		wait = min(base<<(n-1), most)
	}
	return wait - rand.N(wait/4)
}
