package wrapper

import (
	"context"
	"errors"
	"fmt"
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
		outcome    = NotSent
		retryAfter time.Duration
		spent      int // of the retry budget
		last       *answer
	)
	fail := func(reason error) (*answer, *SendError) {
		err := reason
		if last != nil {
			err = withReason(last.failure, reason)
		}
		return last, &SendError{
			Outcome: outcome, Attempts: call.attempts, IdempotencyKey: call.key, RetryAfter: retryAfter, Err: err,
		}
	}
	for {
		if err := c.pace.wait(ctx); err != nil {
			if held, ok := errors.AsType[*heldError](err); ok {
				retryAfter = held.left
			}
			return fail(err)
		}

		call.attempts++
		last = c.exchanger.attempt(ctx, call)
		f := assess(last)
		f.contextEnded = ctx.Err() != nil
		f.keyIsFixed = call.callersKey || outcome == Unknown
		v := decide(f, c.policy.AtMostOnce)
		if v.queued {
			c.budget.succeed(spent)
			c.observer.report(ctx, call.observed(last, 0))
			return last, nil
		}

		outcome = outcome.and(v.outcome)
		if last.wait > 0 {
			retryAfter = last.wait
		}
		next := c.plan(ctx, call.attempts, last, v)
		c.observer.report(ctx, call.observed(last, next.wait))
		if !next.retry {
			return fail(next.reason)
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

// observed is the attempt that ended with a, for those who watch.
func (call *call) observed(a *answer, retryIn time.Duration) Attempt {
	return Attempt{
		Number:         call.attempts,
		IdempotencyKey: call.key,
		StatusCode:     a.status,
		Err:            a.failure,
		Duration:       a.took,
		RetryIn:        retryIn,
	}
}

// next is what follows a failed attempt.
type next struct {
	retry  bool
	wait   time.Duration
	cost   int   // to the retry budget
	reason error // why there is no retry, if it is not in the attempt itself
}

// plan turns a verdict on attempt n into what follows. A 429 makes everybody else wait
// as well.
func (c *Client) plan(ctx context.Context, n int, a *answer, v verdict) next {
	left := timeLeft(ctx)
	wait := withJitter(a.wait, left)
	if a.wait == 0 {
		wait = backoff(c.policy, n)
	}
	retry := v.retry && n < c.policy.MaxAttempts
	if a.status == http.StatusTooManyRequests && (a.wait > 0 || retry) {
		c.pace.hold.extend(wait, a.wait > c.policy.MaxRetryAfter)
	}

	switch {
	case ctx.Err() != nil && !errors.Is(a.failure, ctx.Err()):
		return next{reason: fmt.Errorf("no retry: %w", contextError(ctx))}
	case !retry:
		return next{}
	case a.wait > c.policy.MaxRetryAfter:
		return next{reason: fmt.Errorf("no retry: the wait is over the %v of RetryPolicy.MaxRetryAfter", c.policy.MaxRetryAfter)}
	case wait >= left:
		return next{reason: fmt.Errorf("no retry: a wait of %v is longer than the context allows: %w", wait, context.DeadlineExceeded)}
	}
	cost, ok := c.budget.take(a.timeout)
	if !ok {
		return next{reason: errBudget}
	}
	return next{retry: true, wait: wait, cost: cost}
}
