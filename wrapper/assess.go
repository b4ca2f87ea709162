package wrapper

import "net/http"

// assess reads an answer for decide; other says that it is one to another operation. Where
// it is not success, it leaves in the answer the error that it amounts to and the wait that
// it asks for.
func assess(a *answer, other bool) facts {
	f := facts{answered: a.answered(), status: a.status, arrived: a.arrived, permanent: a.permanent, wroteEarlier: a.wroteEarlier}
	if !f.answered {
		return f
	}
	if is2xx(a.status) {
		f.queued, f.understood = a.success()
		if other && a.bodyErr == nil {
			f.queued, f.understood = true, true
		}
		if f.queued {
			return f
		}
	}
	api := newAPIError(a)
	a.failure = api
	switch {
	case f.understood:
		api.kind = ErrNotQueued
		return f
	case is2xx(a.status):
		api.kind = ErrMalformedResponse
		return f
	}
	f.inProgress = api.mayBeInProgress()
	f.replayed = api.Replayed
	f.shouldRetry = shouldRetry(a.header)
	message := ""
	if a.status == http.StatusTooManyRequests {
		message = api.Message
	}
	a.wait = serversWait(a.header, message)
	return f
}
