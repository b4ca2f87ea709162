package wrapper

import "net/http"

// assess reads the facts off an answer; other says that it is one to another operation. Where
// it is not success, it leaves in the answer the error that it amounts to and the wait that
// it asks for.
func (a *answer) assess(other bool) {
	if !a.answered {
		return
	}
	if is2xx(a.status) {
		a.queued, a.understood = a.success()
		if other && a.bodyErr == nil {
			a.queued, a.understood = true, true
		}
		if a.queued {
			return
		}
	}
	api := newAPIError(a)
	a.failure = api
	switch {
	case a.understood:
		api.kind = ErrNotQueued
		return
	case is2xx(a.status):
		api.kind = ErrMalformedResponse
		return
	}
	a.inProgress = api.mayBeInProgress()
	a.replayed = api.Replayed
	a.shouldRetry = shouldRetry(a.header)
	message := ""
	if a.status == http.StatusTooManyRequests {
		message = api.Message
	}
	a.wait = serversWait(a.header, message)
}
