package wrapper

import (
	"errors"
	"fmt"
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
	// ErrMalformedResponse is a 2xx whose body cannot be read or understood, or an answer
	// whose status is under 100.
	ErrMalformedResponse = errors.New("whop: response not understood")
	// ErrRedirect is a 3xx, which is not followed: the base URL is wrong. After a 303 the
	// notification may be queued.
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
	return fmt.Sprintf("whop: invalid notification: %s: %s", oneLine(e.Field, maxErrorWords), e.Reason)
}

// Is reports whether target is [ErrInvalidNotification].
func (e *ValidationError) Is(target error) bool { return target == ErrInvalidNotification }

// misuse is a mistake in how this package is called.
type misuse string

func (m misuse) Error() string { return string(m) }
