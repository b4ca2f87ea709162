package wrapper

import (
	"cmp"
	"net/http"
	"time"
)

// RetryPolicy bounds the attempts of one send. Zero fields take their defaults.
//
// What is retried, and what it means for the notification:
//
//	what happened                                             may be queued  default  AtMostOnce
//	no connection: temporary DNS, dial, TLS, proxy failure;
//	  a request that certainly did not arrive whole;
//	  a stream that the server refused                        no             retry    retry
//	no such host, untrusted certificate, no token,
//	  a proxy's refusal under 500                             no             stop     stop
//	429                                                       no             retry    retry
//	408 (a proxy may have passed the request on)              yes            retry    stop
//	409 idempotency_request_in_progress                       yes            retry    retry
//	500 and above                                             yes            retry    stop
//	time-out, reset, EOF, unreadable answer, status under 100 yes            retry    stop
//	2xx that cannot be read or understood                     yes            stop     stop
//	303 (it answers a POST that was handled)                  yes            stop     stop
//	2xx with success false, any other 3xx, any other 4xx      no             stop     stop
//	any of these refusals, where the transport had written
//	  headers on an earlier connection of the attempt         yes            as above stop
//	x-should-retry true or false, on any but a 2xx            as its row     obeyed   true only where "no"
//	a 408 or 429 that Whop replays                            no             retry under a new key; stop if
//	                                                                         the key is the caller's own or an
//	                                                                         earlier attempt may be queued
//	the context ends                                          as its row     stop     stop
//
// A retry sends the same body under the same idempotency key, so that what Whop has
// queued it replays instead of notifying again. A connection may be lost before a request
// can have arrived whole: then the same attempt sends it again over another, at once, up
// to three times, each after its turn at the limiter, and not while a 429 holds the client back. Retries draw on a budget of the whole
// [Client], so that an outage is not met with a multiple of the load: 500 tokens, of
// which a retry takes 5, or 10 after a time-out, and a success gives back what its
// retries took, or 1. With too few left, the failure stands.
//
// The wait before a retry is what the server asked for (retry-after-ms, Retry-After,
// or the seconds or minutes in the message of a 429) and up to 10 % more; else
// BaseDelay, doubled each time up to MaxDelay, less up to 25 %.
type RetryPolicy struct {
	// MaxAttempts counts the first attempt too. Default 3; 1 means no retry.
	MaxAttempts int
	// BaseDelay is the wait after the first attempt. Default 500 ms.
	BaseDelay time.Duration
	// MaxDelay bounds the doubling. Default 8 s.
	MaxDelay time.Duration
	// MaxRetryAfter is the longest wait a server may ask for: one that is longer, or
	// that the context's deadline does not allow, ends the send at once with
	// SendError.RetryAfter set. Default 60 s.
	MaxRetryAfter time.Duration
	// AtMostOnce stops where an attempt may have been processed, instead of relying
	// on Whop to recognize the idempotency key.
	AtMostOnce bool
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	return RetryPolicy{
		MaxAttempts:   cmp.Or(p.MaxAttempts, 3),
		BaseDelay:     cmp.Or(p.BaseDelay, 500*time.Millisecond),
		MaxDelay:      cmp.Or(p.MaxDelay, 8*time.Second),
		MaxRetryAfter: cmp.Or(p.MaxRetryAfter, 60*time.Second),
		AtMostOnce:    p.AtMostOnce,
	}
}

// verdict is what follows from it.
type verdict struct {
	queued  bool    // success; the rest does not matter
	outcome Outcome // of this attempt alone
	retry   bool
	newKey  bool
}

// decide is the table above.
func decide(f facts, atMostOnce bool) verdict {
	v := judge(f)
	if v.queued {
		return v
	}
	if v.outcome == Rejected && f.wroteEarlier {
		v.outcome = Unknown // of two deliveries the answer speaks of one
	}
	if atMostOnce && v.outcome == Unknown && !f.inProgress {
		v.retry = false
	}
	if f.answered && !is2xx(f.status) {
		switch {
		case f.shouldRetry == "false":
			v.retry = false
		case f.shouldRetry == "true" && !(atMostOnce && v.outcome == Unknown):
			v.retry = true
		}
	}
	if v.retry && f.replayed && v.outcome == Rejected {
		// The same key gets the same answer for as long as Whop remembers it.
		v.retry, v.newKey = !f.keyIsFixed, !f.keyIsFixed
	}
	if f.contextEnded {
		v.retry, v.newKey = false, false
	}
	return v
}

// judge returns an attempt's outcome, and whether it is worth repeating.
func judge(f facts) verdict {
	switch {
	case !f.answered && !f.arrived:
		return verdict{outcome: NotSent, retry: !f.permanent}
	case !f.answered:
		return verdict{outcome: Unknown, retry: true}
	case is2xx(f.status) && f.queued:
		return verdict{queued: true}
	case is2xx(f.status) && f.understood:
		return verdict{outcome: Rejected}
	case is2xx(f.status):
		return verdict{outcome: Unknown}
	case temporary(f.status):
		v := verdict{outcome: Rejected, retry: true}
		if f.status == http.StatusRequestTimeout && !f.replayed {
			v.outcome = Unknown // a proxy may have passed the request on
		}
		return v
	case f.inProgress:
		return verdict{outcome: Unknown, retry: true}
	case f.status == http.StatusSeeOther:
		return verdict{outcome: Unknown}
	case f.status >= 300 && f.status < 500:
		return verdict{outcome: Rejected}
	}
	return verdict{outcome: Unknown, retry: true}
}

// temporary reports whether what an answer with this status says passes by itself.
func temporary(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests
}
