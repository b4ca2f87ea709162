package wrapper

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Errors to match with [errors.Is] in whatever [Client.Send] returns.
var (
	// By the status of Whop's answer.
	ErrBadRequest           = errors.New("whop: bad request")           // 400
	ErrUnauthorized         = errors.New("whop: unauthorized")          // 401
	ErrForbidden            = errors.New("whop: forbidden")             // 403
	ErrNotFound             = errors.New("whop: not found")             // 404
	ErrConflict             = errors.New("whop: conflict")              // 409
	ErrVerificationRequired = errors.New("whop: verification required") // 422
	ErrRateLimited          = errors.New("whop: rate limited")          // 429, also a send held back by the 429 of another
	ErrServer               = errors.New("whop: server error")          // 500 and above

	// By the code in Whop's answer (docs.whop.com, developer/api/idempotency).
	ErrIdempotencyMismatch   = errors.New("whop: idempotency key was used for another request")    // 400
	ErrIdempotencyInProgress = errors.New("whop: the first request under this key is in progress") // 409

	// ErrNotQueued is a 2xx with "success": false.
	ErrNotQueued = errors.New("whop: answered that the notification was not queued")
	// ErrMalformedResponse is a 2xx whose body cannot be read or understood.
	ErrMalformedResponse = errors.New("whop: success response not understood")
	// ErrRedirect is a 3xx, which is not followed: the base URL is wrong.
	ErrRedirect = errors.New("whop: redirected")
	// ErrInvalidNotification is every [*ValidationError].
	ErrInvalidNotification = errors.New("whop: invalid notification")
)

// ValidationError is one thing that is wrong with a notification. It matches
// [ErrInvalidNotification].
type ValidationError struct {
	Field  string // the wire name, as in "title" or "user_ids"; "" if no field is to blame
	Reason string // what is wrong with it, after the field's name in Error
}

// Error names the field, if one is to blame, and the reason.
func (e *ValidationError) Error() string {
	if e.Field == "" {
		return "whop: invalid notification: " + e.Reason
	}
	return fmt.Sprintf("whop: invalid notification: %s: %s", oneLine(e.Field), e.Reason)
}

// Is reports whether target is [ErrInvalidNotification].
func (e *ValidationError) Is(target error) bool { return target == ErrInvalidNotification }

// Outcome says what an error leaves open: whether the notification may go out.
type Outcome int

const (
	// Unknown: at least one attempt may have queued the notification, and no answer
	// says so. Send it again under the same idempotency key within 24 hours, and
	// Whop will not queue it twice.
	Unknown Outcome = iota
	// NotSent: no attempt can have reached Whop's handler.
	NotSent
	// Rejected: Whop answered that it did not queue the notification.
	Rejected
)

// String gives "unknown", "not sent" or "rejected".
func (o Outcome) String() string {
	switch o {
	case Unknown:
		return "unknown"
	case NotSent:
		return "not sent"
	case Rejected:
		return "rejected"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// and gives the outcome of two attempts together: doubt outlasts every later answer,
// and an answer outlasts what was never sent.
func (o Outcome) and(next Outcome) Outcome {
	switch {
	case o == Unknown || next == Unknown:
		return Unknown
	case o == Rejected || next == Rejected:
		return Rejected
	}
	return NotSent
}

// SendError is every error of [Client.Send].
type SendError struct {
	// Outcome is over all attempts: a time-out after the request was written, then
	// a 401, is Unknown.
	Outcome Outcome
	// Attempts is the number of requests tried; 0 if it failed before the first.
	Attempts int
	// IdempotencyKey is the key of the last attempt. Sending the same notification
	// with it again, by WithIdempotencyKey, cannot notify twice. It is empty if the
	// notification was invalid and had none of its own.
	IdempotencyKey string
	// RetryAfter is the wait that the server asked for last, 0 if it asked for none.
	RetryAfter time.Duration
	// Err is why: it wraps an [*APIError], a [*ValidationError], an error of the
	// transport, the token source or the limiter, or the error of the context.
	Err error
}

// Error says what became of the notification, after how many attempts, and why.
func (e *SendError) Error() string {
	if e.Attempts == 0 && errors.Is(e.Err, ErrInvalidNotification) {
		return e.Err.Error()
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
		fmt.Fprintf(&b, "; the server asked to wait %v", e.RetryAfter)
	}
	return b.String()
}

// Unwrap gives Err.
func (e *SendError) Unwrap() error { return e.Err }

// Retryable reports whether a later Send of the same notification under the same key
// can still succeed. It is false for an invalid notification and for an answer that
// Whop would repeat (a 4xx but 408, 429 and 409 while the first request runs); true
// for everything else, also a wrong certificate or a host that does not exist, which
// are not the notification's fault. The x-should-retry header of an answer overrules.
func (e *SendError) Retryable() bool {
	if errors.Is(e.Err, ErrInvalidNotification) {
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
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	if api, ok := errors.AsType[*APIError](e.Err); ok {
		attrs = append(attrs, slog.Any("response", api))
	}
	return slog.GroupValue(attrs...)
}
