package main

import (
	"errors"
	"fmt"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// whatNext is what to do after a send failed. Whop repeats a refusal to whoever comes
// with the same key, which matters where the key is not a random one of that send.
func whatNext(e *whop.SendError, ownKey bool) string {
	advice := whatNextForAnyKey(e)
	remembered := e.Outcome == whop.Rejected && !e.Retryable() && !errors.Is(e, whop.ErrUnauthorized) &&
		!errors.Is(e, whop.ErrRedirect) && !errors.Is(e, whop.ErrIdempotencyMismatch)
	if ownKey && remembered {
		advice += "\nWhop repeats this answer to the same key for 24 hours: give another --idempotency-key then."
	}
	return advice
}

func whatNextForAnyKey(e *whop.SendError) string {
	switch {
	case e.Outcome == whop.Unknown:
		return "Whether it goes out is unknown. To make sure of it, and notify nobody twice, run the same command\n" +
			"again within 24 hours with: --idempotency-key " + e.IdempotencyKey
	case errors.Is(e, whop.ErrUnauthorized):
		return "Nothing was queued. Check the key in WHOP_API_KEY or --api-key-file; a key of the sandbox needs\n" +
			"--base-url " + whop.SandboxBaseURL
	case errors.Is(e, whop.ErrForbidden):
		return "Nothing was queued. The key needs the permission notification:create, and access to the target."
	case errors.Is(e, whop.ErrNotFound):
		return "Nothing was queued. Check the id of the target, and the base URL if you changed it."
	case errors.Is(e, whop.ErrRedirect):
		return "Nothing was queued. Redirects are not followed: correct WHOP_BASE_URL or --base-url."
	case errors.Is(e, whop.ErrIdempotencyMismatch):
		return "Nothing was queued. Within the last 24 hours this key was used for another request: give a new\n" +
			"--idempotency-key, or none for a random one."
	case errors.Is(e, whop.ErrRateLimited) && e.RetryAfter > 0 && e.Retryable():
		return fmt.Sprintf("Nothing was queued. Run the same command again in %v.", e.RetryAfter.Round(time.Millisecond))
	case errors.Is(e, whop.ErrRateLimited) && !e.Retryable():
		return "Nothing was queued."
	case e.Retryable():
		return "Nothing was queued. It is safe to run the same command again."
	}
	return "Nothing was queued. The same request would be refused again: change it first."
}
