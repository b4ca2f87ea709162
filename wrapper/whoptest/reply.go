package whoptest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Reply is what a scripted request gets. Unless it says otherwise, the notification is
// not queued, and the idempotency key is not remembered. The zero Reply is [Serve].
type Reply struct {
	name     string
	fault    fault
	response response
	garbage  []byte
	queue    bool
	remember bool
}

type fault int

const (
	serving fault = iota
	answering
	resetting
	stalling
	truncating
	babbling
)

// Serve is normal service, to stand between other replies.
func Serve() Reply { return Reply{name: "Serve", fault: serving} }

// Error is an error of the API with its documented envelope.
func Error(status int, code, message string) Reply {
	return Reply{name: fmt.Sprintf("Error %d", status), fault: answering, response: newAPIError(status, code, "", message).response()}
}

// RateLimited is a 429 with the wait in its message, in seconds rounded up, as Whop
// says it.
func RateLimited(wait time.Duration) Reply {
	return Reply{name: "RateLimited", fault: answering, response: tooManyRequests(wait).response()}
}

// RateLimitedAfter is a 429 with the wait in the header Retry-After, in seconds, which
// may be a fraction.
func RateLimitedAfter(wait time.Duration) Reply {
	refusal := newAPIError(http.StatusTooManyRequests, "rate_limited", "", "Rate limit exceeded.")
	r := Reply{name: "RateLimitedAfter", fault: answering, response: refusal.response()}
	return r.WithHeader("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', -1, 64))
}

// NotQueued is a 200 that says "success": false.
func NotQueued() Reply {
	return Reply{name: "NotQueued", fault: answering, response: jsonResponse(http.StatusOK, `{"success":false}`)}
}

// Raw is any response.
func Raw(status int, contentType, body string) Reply {
	r := jsonResponse(status, body)
	r.header.Set("Content-Type", contentType)
	return Reply{name: fmt.Sprintf("Raw %d", status), fault: answering, response: r}
}

// Garbage is bytes in place of an HTTP response, after which the connection is closed.
// Over HTTP/2 the stream is reset instead.
func Garbage(b []byte) Reply { return Reply{name: "Garbage", fault: babbling, garbage: b} }

// Reset breaks the connection without an answer and, unless AfterQueueing, before the
// body is read. Over HTTP/2 it resets the stream.
func Reset() Reply { return Reply{name: "Reset", fault: resetting} }

// Stall gives no answer until the client goes away or the server is closed.
func Stall() Reply { return Reply{name: "Stall", fault: stalling} }

// Truncate queues the notification and breaks off in the middle of the answer's body.
func Truncate() Reply { return Reply{name: "Truncate", fault: truncating, queue: true} }

// AfterQueueing serves the request as usual first, unheard by the client: what it would
// have queued counts in [Server.Queued] and under its key. A request that is refused
// gets the refusal.
func (r Reply) AfterQueueing() Reply {
	r.name += " after queueing"
	r.queue = true
	return r
}

// Remembered keeps the answer under the request's idempotency key, to be replayed, as
// Whop does with a 4xx. It changes nothing where there is no answer to keep, as with
// [Reset], or where the key has one already.
func (r Reply) Remembered() Reply {
	r.remember = true
	return r
}

// WithHeader adds a header to an answer, such as X-Should-Retry. It changes nothing
// where the reply has no answer of its own, as with [Serve] and [Reset].
func (r Reply) WithHeader(name, value string) Reply {
	r.response.header = r.response.header.Clone()
	if r.response.header == nil {
		r.response.header = http.Header{}
	}
	r.response.header.Set(name, value)
	return r
}

// String names the reply.
func (r Reply) String() string {
	if r.name == "" {
		return Serve().name
	}
	return r.name
}
