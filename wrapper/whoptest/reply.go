package whoptest

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Reply is what a scripted request gets. Unless it says otherwise, the notification is
// not queued, and the idempotency key is not remembered. The zero Reply is [Serve].
type Reply struct {
	name     string
	fault    fault
	answer   func(*contract) response
	header   http.Header // added to the answer
	garbage  []byte
	stall    time.Duration // 0: for good
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
	sendingGarbage
)

// Serve is normal service, to stand between other replies.
func Serve() Reply { return Reply{name: "Serve", fault: serving} }

// Error is an error of the API with the envelope of the request's API version.
func Error(status int, code, message string) Reply {
	return errorReply(fmt.Sprintf("Error %d", status), &apiError{status: status, code: code, message: message})
}

// RateLimited is a 429 with the wait in its message, in seconds rounded up, as Whop
// says it.
func RateLimited(wait time.Duration) Reply { return errorReply("RateLimited", tooManyRequests(wait)) }

// RateLimitedAfter is a 429 with the wait in the header Retry-After, in seconds, which
// may be a fraction.
func RateLimitedAfter(wait time.Duration) Reply {
	r := errorReply("RateLimitedAfter", rateLimited("Rate limit exceeded."))
	return r.WithHeader("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', -1, 64))
}

func errorReply(name string, e *apiError) Reply {
	return Reply{name: name, fault: answering, answer: e.response}
}

// NotQueued is an answer that says "success": false, with the success status of the
// request's API version: 200 up to 2026-07-20, then 202.
func NotQueued() Reply {
	return Reply{name: "NotQueued", fault: answering, answer: func(c *contract) response { return c.queued(false) }}
}

// Raw is any response.
func Raw(status int, contentType, body string) Reply {
	return Reply{name: fmt.Sprintf("Raw %d", status), fault: answering, answer: func(*contract) response {
		return response{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
	}}
}

// Garbage is bytes in place of an HTTP response, after which the connection is closed.
// Over HTTP/2 the stream is reset instead.
func Garbage(b []byte) Reply { return Reply{name: "Garbage", fault: sendingGarbage, garbage: b} }

// Reset breaks the connection without an answer and, unless AfterQueueing, before the
// body is read. Over HTTP/2 it resets the stream.
func Reset() Reply { return Reply{name: "Reset", fault: resetting} }

// Stall gives no answer until the client goes away or the server is closed.
func Stall() Reply { return Reply{name: "Stall", fault: stalling} }

// StallFor is normal service, but late: the answer comes after d, and the request is not
// served at all if the client goes away before. With AfterQueueing the notification is
// queued at once, and the answer alone is late. A d of 0 or less is [Stall].
func StallFor(d time.Duration) Reply {
	if d <= 0 {
		return Stall()
	}
	return Reply{name: "Stall for " + d.String(), fault: stalling, stall: d}
}

// Truncate queues the notification and breaks off in the middle of the answer's body.
func Truncate() Reply { return Reply{name: "Truncate", fault: truncating, queue: true} }

// AfterQueueing queues the notification first; the client never learns. It counts in
// [Server.Queued] and under its key. A request that is refused gets the refusal.
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
	r.header = r.header.Clone()
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
	return r
}

// response is the reply's own answer to a request of the contract.
func (r Reply) response(c *contract) response {
	answer := r.answer(c)
	maps.Copy(answer.header, r.header)
	return answer
}

// String names the reply.
func (r Reply) String() string {
	if r.name == "" {
		return Serve().name
	}
	return r.name
}
