package wrapper

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// SendError is every error of [Client.Send].
//
// It speaks of that one Send. With a key of your own an earlier Send may be in doubt, and a
// refusal now promises nothing about that one: the key was checked after whatever was
// refused, or not at all. So keep the key. Only where the refusal is a replay
// ([APIError.Replayed]) and the outcome is not Unknown is the key spent: Whop gave that answer
// to the first request under it, and queued nothing.
type SendError struct {
	// Outcome is over all attempts: a time-out after the request was written, then
	// a 401, is Unknown.
	Outcome Outcome
	// Attempts is the number of attempts; 0 if it failed before the first.
	Attempts int
	// IdempotencyKey is the key of the last attempt. Sending the same notification
	// with it again within 24 hours, by WithIdempotencyKey, cannot notify twice. It is
	// empty if the notification was invalid and had none of its own.
	IdempotencyKey string
	// RetryAfter is how long to wait before sending again: what the server asked for last,
	// or what a hold after a 429 needs, the default limiter, or one whose error says so (see
	// [Limiter]). 0 if there is no such wait.
	RetryAfter time.Duration
	// Err is why: it wraps an [*APIError], a [*ValidationError], an error of the
	// transport, the token source or the limiter, or the error of the context.
	Err error
}

// Error returns the outcome, the number of attempts, the idempotency key and the reason in one line.
func (e *SendError) Error() string {
	if e.Attempts == 0 && errors.Is(e.Err, ErrInvalidNotification) {
		return oneLine(e.Err.Error(), maxErrorText)
	}
	var b strings.Builder
	switch e.Outcome {
	case NotSent:
		b.WriteString("whop: notification not sent")
	case Rejected:
		b.WriteString("whop: notification rejected")
	default:
		b.WriteString("whop: notification may have been queued")
	}
	plural := "s"
	if e.Attempts == 1 {
		plural = ""
	}
	fmt.Fprintf(&b, " (%d attempt%s", e.Attempts, plural)
	if e.Outcome == Unknown {
		fmt.Fprintf(&b, ", idempotency key %s", e.IdempotencyKey)
	}
	b.WriteString(")")
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(strings.TrimPrefix(e.Err.Error(), "whop: "))
	}
	if e.RetryAfter > 0 {
		fmt.Fprintf(&b, "; retry after %v", e.RetryAfter)
	}
	return oneLine(b.String(), maxErrorText)
}

// Unwrap returns Err.
func (e *SendError) Unwrap() error { return e.Err }

// Retryable reports whether a later Send of the same notification under the same key
// can still succeed. It is false for an invalid notification, for a call that is wrong and
// for an answer that Whop would repeat: any replayed refusal, "success": false, a 3xx, and a
// 4xx but 408, 429 and 409 while the first request runs. It is true for everything else, also
// a wrong certificate or a host that does not exist, which are not the notification's fault.
// The x-should-retry header of an answer that is no replay overrules.
func (e *SendError) Retryable() bool {
	if _, wrong := errors.AsType[misuse](e.Err); wrong || errors.Is(e.Err, ErrInvalidNotification) {
		return false
	}
	api, answered := errors.AsType[*APIError](e.Err)
	return !answered || !api.final()
}

// LogValue groups the fields; an [*APIError] within stays a group of its own.
func (e *SendError) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("outcome", e.Outcome.String()),
		slog.Int("attempts", e.Attempts),
		slog.String("idempotency_key", e.IdempotencyKey),
		slog.Bool("retryable", e.Retryable()),
	}
	if e.RetryAfter > 0 {
		attrs = append(attrs, slog.Duration("retry_after", e.RetryAfter))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", oneLine(e.Err.Error(), maxErrorText)))
	}
	if api, ok := errors.AsType[*APIError](e.Err); ok {
		attrs = append(attrs, slog.Any("response", api))
	}
	return slog.GroupValue(attrs...)
}
