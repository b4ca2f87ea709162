package wrapper

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter paces attempts, retries included: Wait returns nil when one may go, or an
// error if ctx ends or would end first. A [*rate.Limiter] is one; one that counts in a
// shared store paces several processes together.
type Limiter interface {
	Wait(ctx context.Context) error
}

// newDefaultLimiter keeps every window of 60 s under the 600 requests a minute that
// Whop documents for an operation and credential (docs.whop.com,
// developer/troubleshooting): a burst and a minute at the rate make 590, which leaves
// room for requests that are a little late.
func newDefaultLimiter() Limiter {
	const burst, perMinute = 10, 580
	return rate.NewLimiter(rate.Every(time.Minute/perMinute), burst)
}

// pace is what every attempt of a client waits for.
type pace struct {
	limiter     Limiter       // nil: none
	longestWait time.Duration // that a server may ask for: RetryPolicy.MaxRetryAfter
	hold        hold
}

// wait waits for the shared hold and for the limiter. If a hold begins while the
// limiter waits, wait for it, and then ask the limiter again: its slot has passed.
func (p *pace) wait(ctx context.Context) error {
	for {
		if ctx.Err() != nil {
			return contextError(ctx)
		}
		if err := p.hold.wait(ctx, p.longestWait); err != nil {
			return err
		}
		if p.limiter == nil {
			return nil
		}
		if err := p.limiter.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return withReason(err, contextError(ctx))
			}
			return fmt.Errorf("waiting for the rate limiter: %w", err)
		}
		if left, _ := p.hold.left(); left <= 0 {
			return nil
		}
	}
}

// hold keeps the attempts of a client back after a 429, so that one refusal is not
// followed by one for every worker.
type hold struct {
	mu    sync.Mutex
	until time.Time
	long  bool // the server asked for more than RetryPolicy.MaxRetryAfter
}

func (h *hold) extend(d time.Duration, long bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(d); until.After(h.until) {
		h.until, h.long = until, long
	}
}

func (h *hold) left() (left time.Duration, long bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.until.IsZero() {
		return 0, false
	}
	return time.Until(h.until), h.long
}

// wait returns when the hold is over, or at once if that would be after the context's
// deadline or take longer than a server may ask for.
func (h *hold) wait(ctx context.Context, longest time.Duration) error {
	for {
		left, long := h.left()
		switch {
		case left <= 0:
			return nil
		case long && left > longest:
			return &heldError{left: left, reason: fmt.Errorf("over the %v of RetryPolicy.MaxRetryAfter", longest)}
		case left >= timeLeft(ctx):
			return &heldError{left: left, reason: fmt.Errorf("longer than the context allows: %w", context.DeadlineExceeded)}
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// heldError is a send that another one's 429 kept from being tried.
type heldError struct {
	left   time.Duration
	reason error
}

func (e *heldError) Error() string {
	return fmt.Sprintf("rate limited: an earlier 429 holds back this client for another %v, %v", e.left.Round(time.Millisecond), e.reason)
}
func (e *heldError) Unwrap() error        { return e.reason }
func (e *heldError) Is(target error) bool { return target == ErrRateLimited }
