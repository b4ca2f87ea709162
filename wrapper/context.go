package wrapper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"runtime"
	"time"
)

// timeLeft returns how long the context has, the longest Duration if it has no deadline.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return math.MaxInt64
}

// sleep waits for d, or until the context ends, and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// contextError is ctx.Err(), with the cause where there is another.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// await runs f, a function of the caller's own, and returns when f has, or with the
// context's error when that ends first: f is then left to itself, and what becomes of it
// is lost. If f panics or calls runtime.Goexit, so does await.
func await(ctx context.Context, f func()) error {
	var end ending
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer end.keep()
		f()
		end.returned = true
	}()
	select {
	case <-done:
	case <-ctx.Done():
		select {
		case <-done:
		default:
			return contextError(ctx)
		}
	}
	end.resume()
	return nil
}

// ending is how a function ended in another goroutine.
type ending struct {
	returned bool
	value    any // of its panic; nil for runtime.Goexit
}

// keep is deferred in the goroutine of the function.
func (e *ending) keep() {
	if !e.returned {
		e.value = recover()
	}
}

// resume ends this goroutine as the function ended, unless it returned.
func (e *ending) resume() {
	switch {
	case e.returned:
	case e.value == nil:
		runtime.Goexit()
	default:
		panic(e.value)
	}
}

// withReason joins a failure and the reason why nothing more was tried. Either may be nil.
func withReason(failure, reason error) error {
	switch {
	case failure == nil:
		return reason
	case reason == nil:
		return failure
	}
	return fmt.Errorf("%w; %w", failure, reason)
}

// timedOut reports whether err is a time-out, of a context or of the network.
func timedOut(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

var errTooLong = fmt.Errorf("longer than the context allows: %w", context.DeadlineExceeded)

// waitError is a wait that was not begun.
type waitError struct {
	wait   time.Duration
	text   string // what there is to wait for
	reason error  // why it was not begun
	kind   error  // a sentinel that it matches; nil: none
}

func (e *waitError) Error() string {
	return fmt.Sprintf("%s %v, %v", e.text, e.wait.Round(time.Millisecond), e.reason)
}
func (e *waitError) Unwrap() error             { return e.reason }
func (e *waitError) Is(target error) bool      { return target == e.kind }
func (e *waitError) RetryAfter() time.Duration { return e.wait }
