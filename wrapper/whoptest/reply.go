package whoptest

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Reply is the reply to a scripted request. By default the notification is not queued, and
// the answer is not stored under the idempotency key. The zero Reply is [Serve].
type Reply struct {
	name     string
	fault    fault
	answer   func(*contract) response
	header   http.Header // set in the answer
	garbage  []byte
	stall    time.Duration // 0: forever
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

// Serve serves the request as usual. Use it between other replies.
func Serve() Reply { return Reply{name: "Serve", fault: serving} }

// Error answers with an API error, in the envelope of the request's API version. It panics
// if the status is not between 200 and 999: net/http sends no other.
func Error(status int, code, message string) Reply {
	mustSend(status)
	return errorReply(fmt.Sprintf("Error %d", status), &apiError{status: status, code: code, message: message})
}

func mustSend(status int) {
	if status < 200 || status > 999 {
		panic(fmt.Sprintf("whoptest: the status %d is not between 200 and 999", status))
	}
}

// RateLimited answers 429 with the wait in the message, in seconds rounded up, as Whop does.
func RateLimited(wait time.Duration) Reply { return errorReply("RateLimited", tooManyRequests(wait)) }

// RateLimitedAfter answers 429 with the wait in the header Retry-After, in seconds, which
// may have a fraction.
func RateLimitedAfter(wait time.Duration) Reply {
	r := errorReply("RateLimitedAfter", rateLimited("Rate limit exceeded."))
	return r.WithHeader("Retry-After", strconv.FormatFloat(wait.Seconds(), 'f', -1, 64))
}

func errorReply(name string, e *apiError) Reply {
	return Reply{name: name, fault: answering, answer: e.response}
}

// NotQueued answers "success": false with the success status of the request's API version:
// 200 up to 2026-07-20, then 202.
func NotQueued() Reply {
	return Reply{name: "NotQueued", fault: answering, answer: func(c *contract) response { return c.queued(false) }}
}

// Raw answers with this status, content type and body. It panics if the status is not
// between 200 and 999, as [Error] does. With 204 and 304 no body is sent.
func Raw(status int, contentType, body string) Reply {
	mustSend(status)
	return Reply{name: fmt.Sprintf("Raw %d", status), fault: answering, answer: func(*contract) response {
		return response{status: status, header: http.Header{"Content-Type": {contentType}}, body: body}
	}}
}

// Garbage sends these bytes instead of an HTTP response, then closes the connection. Over
// HTTP/2 it resets the stream instead.
func Garbage(b []byte) Reply { return Reply{name: "Garbage", fault: sendingGarbage, garbage: b} }

// Reset resets the connection without an answer. Unless AfterQueueing, it does so before
// reading the body. Over HTTP/2 it resets the stream.
func Reset() Reply { return Reply{name: "Reset", fault: resetting} }

// Stall sends no answer, and waits until the client goes away or the server is closed.
func Stall() Reply { return Reply{name: "Stall", fault: stalling} }

// StallFor waits for d, then serves the request as usual. It does not serve the request if
// the client goes away before. With AfterQueueing it queues the notification at once, and
// delays only the answer. A d of 0 or less is [Stall].
func StallFor(d time.Duration) Reply {
	if d <= 0 {
		return Stall()
	}
	return Reply{name: "Stall for " + d.String(), fault: stalling, stall: d}
}

// Truncate queues the notification, and breaks the connection in the middle of the answer's
// body.
func Truncate() Reply { return Reply{name: "Truncate", fault: truncating, queue: true} }

// AfterQueueing queues the notification first; the client never learns. [Server.Queued]
// returns it, and its idempotency key is taken. An invalid request is refused as usual.
func (r Reply) AfterQueueing() Reply {
	r.name += " after queueing"
	r.queue = true
	return r
}

// Remembered stores the answer under the request's idempotency key, to be replayed, as Whop
// does with a 4xx. It has no effect if there is no answer to store, as with [Reset], or if
// the key already has one.
func (r Reply) Remembered() Reply {
	r.remember = true
	return r
}

// WithHeader sets a header of the answer, such as X-Should-Retry. It has no effect if the
// reply has no answer of its own, as with [Serve] and [Reset].
func (r Reply) WithHeader(name, value string) Reply {
	r.header = r.header.Clone()
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(name, value)
	return r
}

// response returns the reply's own answer to a request of the contract.
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
