package wrapper

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Limiter paces attempts, retries included: Wait returns nil when one may go, or an
// error if ctx ends or would end first. Where that error has a method
// RetryAfter() time.Duration, [SendError.RetryAfter] tells it. A *rate.Limiter of
// golang.org/x/time is one, for a steady drip; one that counts in a shared store paces
// several processes together.
type Limiter interface {
	Wait(ctx context.Context) error
}

// pace is what every attempt of a client waits for.
type pace struct {
	limiter Limiter // nil: none
	hold    hold
}

// wait waits for the shared hold and for the limiter. If a hold begins while the
// limiter waits, wait for it, and then ask the limiter again: its slot has passed.
// probe is true if this attempt is to show whether the hold is over: call
// hold.probed after it.
func (p *pace) wait(ctx context.Context) (probe bool, err error) {
	granted := false
	defer func() {
		if probe && !granted {
			p.hold.probed(false)
			probe = false
		}
	}()
	for !granted {
		if ctx.Err() != nil {
			return false, contextError(ctx)
		}
		if probe, err = p.hold.wait(ctx); err != nil {
			return false, err
		}
		if err := p.waitForLimiter(ctx); err != nil {
			return probe, err
		}
		granted = probe || !p.hold.isOn()
	}
	return probe, nil
}

// mayResend waits for the limiter, and reports whether a request that did not arrive may go out
// again within its attempt. During a hold the next attempt waits for the end of that.
func (p *pace) mayResend(ctx context.Context) bool {
	return p.waitForLimiter(ctx) == nil && !p.hold.isOn()
}

func (p *pace) waitForLimiter(ctx context.Context) error {
	if p.limiter == nil {
		return nil
	}
	err := p.askLimiter(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil && !errors.Is(err, ctx.Err()):
		return withReason(err, contextError(ctx))
	case ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("waiting for the rate limiter: %w", err)
}

// askLimiter leaves a limiter of the caller's to itself when the context ends.
func (p *pace) askLimiter(ctx context.Context) error {
	if own, ok := p.limiter.(*slidingWindow); ok {
		return own.Wait(ctx)
	}
	var err error
	if ended := await(ctx, func() { err = p.limiter.Wait(ctx) }); ended != nil {
		return ended
	}
	return err
}

// hold keeps the attempts of a client back after a 429, so that one refusal is not
// followed by one for every worker.
type hold struct {
	longestWait time.Duration // that a send accepts: RetryPolicy.MaxRetryAfter

	mu      sync.Mutex
	until   time.Time
	long    bool          // the server asked for more than longestWait
	cut     bool          // the server asked for more than the bound: then a probe decides
	probing chan struct{} // closed when the probe that is out has its answer
}

// minHoldBound is the least that bounds a hold, so that one absurd answer does not
// disable a client for years.
const minHoldBound = 5 * time.Minute

// extend holds back for d; long says that no send is to wait for that.
func (h *hold) extend(d time.Duration, long bool) {
	bound := max(minHoldBound, h.longestWait)
	h.mu.Lock()
	defer h.mu.Unlock()
	if until := time.Now().Add(min(d, bound)); until.After(h.until) {
		h.until, h.long, h.cut = until, long, d > bound
	}
}

// isOn reports whether attempts are held back.
func (h *hold) isOn() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cut || time.Now().Before(h.until)
}

// wait returns when the hold is over, or at once if that would be after the context's
// deadline or take longer than a server may ask for. After a hold that was cut short one
// goes on as a probe, for which the others wait.
func (h *hold) wait(ctx context.Context) (probe bool, err error) {
	for {
		h.mu.Lock()
		left, long, probing := time.Until(h.until), h.long, h.probing
		if left <= 0 && h.cut && probing == nil {
			h.probing = make(chan struct{})
			h.mu.Unlock()
			return true, nil
		}
		cut := h.cut
		h.mu.Unlock()

		switch {
		case left <= 0 && !cut:
			return false, nil
		case left <= 0:
			select {
			case <-probing:
			case <-ctx.Done():
				return false, fmt.Errorf("%w: waiting for the answer to another attempt: %w", ErrRateLimited, contextError(ctx))
			}
			continue
		case long && left > h.longestWait:
			return false, heldFor(left, fmt.Errorf("over the %v of RetryPolicy.MaxRetryAfter", h.longestWait))
		case left >= timeLeft(ctx):
			return false, heldFor(left, errTooLong)
		}
		if err := sleep(ctx, left); err != nil {
			return false, err
		}
	}
}

// probed tells those who wait for a probe that it has ended; over says that its answer
// ends the hold.
func (h *hold) probed(over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if over {
		h.cut = false
	}
	close(h.probing)
	h.probing = nil
}

// heldFor is the error of a send that another one's 429 kept from being tried.
func heldFor(left time.Duration, reason error) error {
	return &waitError{
		wait:   left,
		text:   "rate limited: an earlier 429 holds back this client for another",
		reason: reason,
		kind:   ErrRateLimited,
	}
}
