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
	// Attempts is the number of attempts it took, from 1.
	Attempts int
	// StatusCode is that of the answer: 200 in the vendored contract, 202 in the current one.
	StatusCode int
	// RequestID is what Whop's support asks for; it may be empty. At most 300 bytes.
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
	call, err := c.callFor(ctx, n)
	if err != nil {
		return nil, &SendError{Outcome: NotSent, IdempotencyKey: n.key, Err: err}
	}
	last, failure := c.run(ctx, call)
	if failure != nil {
		return nil, failure
	}
	return &Receipt{
		IdempotencyKey: call.key,
		Attempts:       call.attempts,
		StatusCode:     last.status,
		RequestID:      requestID(last.header, last.token),
		Replayed:       replayed(last.header),
	}, nil
}

// callFor turns a valid notification into the request that sends it.
func (c *Client) callFor(ctx context.Context, n Notification) (*call, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if c.noBroadcasts && !n.narrowed {
		return nil, &ValidationError{Field: "user_ids", Reason: "is absent, which notifies everybody, and the client was made with WithoutBroadcasts; use OnlyUsers"}
	}
	body, err := n.body(c.contract)
	if err != nil {
		return nil, err
	}
	return &call{template: c.template, body: body, key: n.key, callersKey: n.keyed}, nil
}

// usable reports what would make a call panic.
func (c *Client) usable(ctx context.Context) error {
	switch {
	case c == nil || c.template == nil:
		return misuse("whop: this Client was not made by NewClient")
	case ctx == nil:
		return misuse("whop: the context is nil")
	}
	return nil
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
		probe      bool
	)
	defer func() {
		if probe {
			c.pace.hold.probed(false)
		}
	}()
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
		var err error
		start := time.Now()
		if probe, err = c.pace.wait(ctx); err != nil {
			if w, ok := errors.AsType[retryAfterError](err); ok {
				retryAfter = max(0, w.RetryAfter())
			}
			return fail(err)
		}
		call.waited = time.Since(start)

		call.attempts++
		last = c.exchanger.attempt(ctx, call, c.pace.mayResend)
		last.assess(call.other)
		last.contextEnded = ctx.Err() != nil
		last.keyIsFixed = call.callersKey || outcome == Unknown
		v := decide(last.facts, c.policy.AtMostOnce)
		then := c.plan(ctx, call.attempts, last, v)
		if probe {
			c.pace.hold.probed(last.answered && last.status != http.StatusTooManyRequests)
			probe = false
		}
		c.observer.deprecation(ctx, last.header, last.token)
		c.observer.report(ctx, call.observed(last, then.wait))
		if v.queued {
			c.budget.succeed(spent)
			return last, nil
		}

		outcome = outcome.and(v.outcome)
		if last.wait > 0 {
			retryAfter = last.wait
		}
		if !then.retry {
			return fail(then.reason)
		}
		spent += then.cost
		if err := sleep(ctx, then.wait); err != nil {
			return fail(fmt.Errorf("no retry: %w", err))
		}
		if v.newKey {
			call.key = uuid.NewString()
		}
	}
}

// retryAfterError is an error of a limiter or of the hold that tells how long to wait.
type retryAfterError interface {
	error
	RetryAfter() time.Duration
}

// observed is the attempt that ended with a, for those who watch.
func (call *call) observed(a *answer, retryIn time.Duration) Attempt {
	return Attempt{
		Number:         call.attempts,
		IdempotencyKey: call.key,
		StatusCode:     a.status,
		Err:            a.failure,
		Waited:         call.waited,
		Duration:       a.took,
		RetryIn:        retryIn,
	}
}

// followUp is what follows an attempt.
type followUp struct {
	retry  bool
	wait   time.Duration
	cost   int   // to the retry budget
	reason error // why there is no retry, if it is not in the attempt itself
}

// plan turns a verdict on attempt n into what follows. A 429 makes everybody else wait
// as well.
func (c *Client) plan(ctx context.Context, n int, a *answer, v verdict) followUp {
	if v.queued {
		return followUp{}
	}
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
		return followUp{reason: fmt.Errorf("no retry: %w", contextError(ctx))}
	case !retry:
		return followUp{}
	case a.wait > c.policy.MaxRetryAfter:
		return followUp{reason: fmt.Errorf("no retry: the wait is over the %v of RetryPolicy.MaxRetryAfter", c.policy.MaxRetryAfter)}
	case wait >= left:
		return followUp{reason: fmt.Errorf("no retry: a wait of %v is longer than the context allows: %w", wait, context.DeadlineExceeded)}
	}
	cost, ok := 0, n == 1 && a.connDied // one dead connection can end a hundred attempts
	if !ok {
		cost, ok = c.budget.take(a.timeout)
	}
	if !ok {
		return followUp{reason: errBudget}
	}
	return followUp{retry: true, wait: wait, cost: cost}
}
