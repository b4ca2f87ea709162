package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// whatNext returns what to do after a send failed. ownKey says that the user chose the
// idempotency key. Then an earlier send under it may be in doubt, and this failure says nothing
// about that one. So the advice is never to take another key, unless Whop replayed a refusal:
// only that shows that nothing was queued under the old key.
func whatNext(e *whop.SendError, ownKey bool) string {
	if e.Outcome == whop.Unknown {
		return "Whether it goes out is unknown. To make sure of it, and notify nobody twice, run the same command\n" +
			"again within 24 hours with: --idempotency-key " + shellQuoted(e.IdempotencyKey)
	}
	advice := mend(e)
	if !ownKey {
		return "Nothing was queued." + advice
	}
	switch {
	case errors.Is(e, whop.ErrInvalidNotification):
		return "Nothing was tried."
	case isReplay(e):
		return "Nothing was queued under this key, and Whop repeats that answer to it for 24 hours: once the cause is\n" +
			"fixed, give another --idempotency-key."
	case errors.Is(e, whop.ErrIdempotencyMismatch):
		return "This run queued nothing. Within the last 24 hours the key was used for a request with another text,\n" +
			"target or --api-version. If that was this notification, it may have gone out: do not send it again.\n" +
			"A key must belong to one notification alone."
	}
	return "This run queued nothing." + advice + "\nKeep the --idempotency-key: an earlier run under it may have queued the notification."
}

// mend says how to fix a failure that is certain.
func mend(e *whop.SendError) string {
	switch {
	case errors.Is(e, whop.ErrUnauthorized):
		return " Check the key in WHOP_API_KEY or --api-key-file; a key of the sandbox needs\n" +
			"--base-url " + whop.SandboxBaseURL
	case errors.Is(e, whop.ErrForbidden):
		return " The key must be one of an app, with the permission notification:create and access\n" +
			"to the target."
	case errors.Is(e, whop.ErrNotFound):
		return " Check the id of the target, and the base URL if you changed it."
	case errors.Is(e, whop.ErrRedirect):
		return " Redirects are not followed: correct WHOP_BASE_URL or --base-url."
	case errors.Is(e, whop.ErrIdempotencyMismatch):
		return " Within the last 24 hours this key was used for another request: give a new\n" +
			"--idempotency-key, or none for a random one."
	case errors.Is(e, whop.ErrRateLimited) && e.RetryAfter > 24*time.Hour:
		return " Whop asks to wait for over a day: see in its dashboard whether the app is blocked."
	case errors.Is(e, whop.ErrRateLimited) && e.RetryAfter > 0 && e.Retryable():
		return fmt.Sprintf(" Run the same command again in %v.", e.RetryAfter.Round(time.Millisecond))
	case errors.Is(e, whop.ErrRateLimited) && !e.Retryable():
		return ""
	case errors.Is(e, whop.ErrVerificationRequired):
		return " Whop wants something verified first; its message may say what."
	case errors.Is(e, whop.ErrNotQueued):
		return " Whop does not say why."
	case isGone(e):
		return " Whop no longer serves this version of its API: choose a newer one with --api-version."
	case e.Retryable():
		return " It is safe to run the same command again."
	}
	return " The same request would be refused again: change it first."
}

// isGone reports whether Whop has retired the version of the API.
func isGone(e *whop.SendError) bool {
	answer, ok := errors.AsType[*whop.APIError](e)
	return ok && answer.StatusCode == http.StatusGone
}

// isReplay reports whether Whop repeated its answer to the first request under the key.
func isReplay(e *whop.SendError) bool {
	answer, ok := errors.AsType[*whop.APIError](e)
	return ok && answer.Replayed
}
