package wrapper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// Receipt is Whop's word that the notification is queued.
type Receipt struct {
	// IdempotencyKey is the key it is queued under.
	IdempotencyKey string
	// Attempts is the number of requests it took, from 1.
	Attempts int
	// StatusCode is that of the answer, 200 in the contract this module is made from.
	StatusCode int
	// RequestID is what Whop's support asks for; it may be empty.
	RequestID string
	// Replayed is true if the server had already queued it under this key, by an
	// earlier attempt or an earlier send.
	Replayed bool
}

// Attempt is one request of a send, as a [WithObserver] function sees it.
type Attempt struct {
	Number         int           // from 1
	IdempotencyKey string        // may change between attempts only after a replayed refusal
	StatusCode     int           // 0: no response
	Err            error         // nil if it was queued; else an *APIError or why there was no response
	Duration       time.Duration // from asking for the token to the end of the answer
	RetryIn        time.Duration // 0: the last
}

// Send queues the notification: it returns a receipt once Whop has said so, or a
// [*SendError] that tells whether the notification may go out all the same. It tries
// as often as the [RetryPolicy] says, each time under the same idempotency key, so it
// never notifies twice. It waits for the rate limiter and between attempts; when ctx
// ends it returns at once.
func (c *Client) Send(ctx context.Context, n Notification) (*Receipt, error) {
	if err := n.Validate(); err != nil {
		return nil, &SendError{Outcome: NotSent, IdempotencyKey: n.key, Err: err}
	}
	body, err := n.body()
	if err != nil {
		return nil, &SendError{Outcome: NotSent, IdempotencyKey: n.key, Err: err}
	}
	call := call{template: c.template, body: body, key: n.key, callersKey: n.keyed}
	last, failure := c.run(ctx, &call)
	if failure != nil {
		return nil, failure
	}
	return &Receipt{
		IdempotencyKey: call.key,
		Attempts:       call.attempts,
		StatusCode:     last.status,
		RequestID:      requestID(last.header),
		Replayed:       replayed(last.header),
	}, nil
}

// run makes attempts until one succeeds or there is reason to stop. It returns the
// answer of the last attempt, nil if there was none.
func (c *Client) run(ctx context.Context, call *call) (*answer, *SendError) {
	if !call.callersKey {
		call.key = uuid.NewString()
	}
	var (
		outcome = NotSent
		asked   time.Duration // by the server, last
		spent   int           // of the retry budget
		last    *answer
	)
	fail := func(reason error) (*answer, *SendError) {
		err := reason
		if last != nil {
			err = stopped(last.failure, reason)
		}
		return last, &SendError{
			Outcome: outcome, Attempts: call.attempts, IdempotencyKey: call.key, RetryAfter: asked, Err: err,
		}
	}
	for {
		if err := c.pause(ctx); err != nil {
			if held, ok := errors.AsType[*heldError](err); ok {
				asked = held.left
			}
			return fail(err)
		}

		call.attempts++
		last = c.attempt(ctx, call)
		s := assess(last)
		s.contextEnded = ctx.Err() != nil
		s.keyIsFixed = call.callersKey || outcome == Unknown
		v := decide(s, c.policy.AtMostOnce)
		if v.queued {
			c.budget.succeed(spent)
			c.report(ctx, call, last, 0)
			return last, nil
		}

		outcome = outcome.and(v.outcome)
		if last.asked > 0 {
			asked = last.asked
		}
		next, reason := c.plan(ctx, call.attempts, last, v)
		c.report(ctx, call, last, next.wait)
		if !next.retry {
			return fail(reason)
		}
		spent += next.cost
		if err := sleep(ctx, next.wait); err != nil {
			return fail(fmt.Errorf("no retry: %w", err))
		}
		if v.newKey {
			call.key = uuid.NewString()
		}
	}
}

// assess reads an answer for decide. Where it is not success, it leaves in the answer
// the error that it amounts to and the wait that it asks for.
func assess(a *answer) situation {
	s := situation{status: a.status, arrived: a.arrived, permanent: a.permanent}
	if a.status == 0 {
		return s
	}
	if is2xx(a.status) {
		if s.queued, s.understood = a.success(); s.queued {
			return s
		}
	}
	api := newAPIError(a)
	a.failure = api
	switch {
	case s.understood:
		api.kind = ErrNotQueued
		return s
	case is2xx(a.status):
		api.kind = ErrMalformedResponse
		return s
	}
	s.inProgress = api.mayBeInProgress()
	s.replayed = replayed(a.header)
	s.shouldRetry = shouldRetry(a.header)
	message := ""
	if a.status == http.StatusTooManyRequests {
		message = api.Message
	}
	a.asked = askedWait(a.header, message)
	return s
}

// next is what follows a failed attempt.
type next struct {
	retry bool
	wait  time.Duration
	cost  int // to the retry budget
}

// plan turns a verdict on attempt n into a wait, or gives the reason, if it is not in
// the attempt itself, why there is no retry. A 429 makes everybody else wait as well.
func (c *Client) plan(ctx context.Context, n int, a *answer, v verdict) (next, error) {
	left := room(ctx)
	wait := lengthen(a.asked, left)
	if a.asked == 0 {
		wait = backoff(c.policy, n)
	}
	retry := v.retry && n < c.policy.MaxAttempts
	if a.status == http.StatusTooManyRequests && (a.asked > 0 || retry) {
		c.hold.extend(wait, a.asked > c.policy.MaxRetryAfter)
	}

	switch {
	case ctx.Err() != nil && !errors.Is(a.failure, ctx.Err()):
		return next{}, fmt.Errorf("no retry: %w", contextError(ctx))
	case !retry:
		return next{}, nil
	case a.asked > c.policy.MaxRetryAfter:
		return next{}, fmt.Errorf("no retry: the wait is over the %v of RetryPolicy.MaxRetryAfter", c.policy.MaxRetryAfter)
	case wait >= left:
		return next{}, fmt.Errorf("no retry: a wait of %v is longer than the context allows: %w", wait, context.DeadlineExceeded)
	}
	cost, ok := c.budget.take(a.timeout)
	if !ok {
		return next{}, errBudget
	}
	return next{retry: true, wait: wait, cost: cost}, nil
}

// stopped joins a failure and the reason why nothing more was tried. Either may be nil.
func stopped(failure, reason error) error {
	switch {
	case failure == nil:
		return reason
	case reason == nil:
		return failure
	}
	return fmt.Errorf("%w; %w", failure, reason)
}

// report tells the logger and the observer about an attempt.
func (c *Client) report(ctx context.Context, call *call, a *answer, retryIn time.Duration) {
	if c.observer != nil {
		c.observer(ctx, Attempt{
			Number:         call.attempts,
			IdempotencyKey: call.key,
			StatusCode:     a.status,
			Err:            a.failure,
			Duration:       a.took,
			RetryIn:        retryIn,
		})
	}
	level, msg := slog.LevelDebug, "whop: attempt"
	if retryIn > 0 {
		level, msg = slog.LevelWarn, "whop: attempt failed, will retry"
	}
	if c.logger == nil || !c.logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.Int("attempt", call.attempts),
		slog.String("idempotency_key", call.key),
		slog.Int("status", a.status),
		slog.Duration("took", a.took),
	}
	if retryIn > 0 {
		attrs = append(attrs, slog.Duration("retry_in", retryIn))
	}
	if a.failure != nil {
		attrs = append(attrs, slog.String("error", a.failure.Error()))
	}
	c.logger.LogAttrs(ctx, level, msg, attrs...)
}
