package wrapper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
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
