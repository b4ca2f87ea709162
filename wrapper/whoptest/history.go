package whoptest

import (
	"net/http"
	"slices"
	"time"
)

// Request is one request that the server got.
type Request struct {
	ID                  int    // 1, 2, … in order of arrival
	Method, Path, Query string // Path as in "/api/v1/notifications", Query without "?"
	Header              http.Header
	Body                []byte    // nil if the server did not read it
	IdempotencyKey      string    // "" if it had none
	APIVersion          string    // the date in its header, else that of SetAPIVersion
	Time                time.Time // of its arrival
	Ended               time.Time // when it was answered or broken off; zero while it is being served
	Reply               string    // what Script or ScriptFunc chose, as in "Error 503"; "" for normal service
	Queued              bool      // its notification was queued
	Status              int       // of the answer; 0 if there was none
	Replayed            bool      // the answer was that of an earlier request under the key
	Reason              string    // the message of an error; "" for any other answer
	AnswerHeader        http.Header
	AnswerBody          []byte // as far as it was sent

	revision int // of its last change
}

// size estimates a request's memory in bytes.
func (r *Request) size() int {
	size := len(r.Path) + len(r.Query) + len(r.Body) + len(r.AnswerBody)
	for _, header := range []http.Header{r.Header, r.AnswerHeader} {
		for name, values := range header {
			for _, value := range values {
				size += len(name) + len(value)
			}
		}
	}
	return size
}

// historyBytes bounds the bodies and headers in a history that has a limit.
const historyBytes = 64 << 20

// history holds the requests, in order of arrival.
type history struct {
	limit    int // 0: all is kept
	requests []*Request
	queued   []*Request

	lastID    int
	forgotten int // lastID at the time of Forget

	revision    int // counts changes
	forgottenAt int // the revision of Forget
	changed     chan struct{}
}

func (h *history) arrive(r *Request) {
	h.lastID++
	r.ID = h.lastID
	h.requests = append(h.requests, r)
	h.trim()
	h.change(r)
}

// queue records a queued notification, unless its request came before Forget.
func (h *history) queue(r *Request) {
	if r.ID <= h.forgotten {
		return
	}
	r.Queued = true
	h.queued = append(h.queued, r)
	h.trim()
}

// end records that a request is complete. Its size is only known now.
func (h *history) end(r *Request) {
	h.trim()
	h.change(r)
}

func (h *history) forget() {
	h.requests, h.queued, h.forgotten = nil, nil, h.lastID
	h.revision++
	h.forgottenAt = h.revision
	h.wake()
}

func (h *history) trim() {
	if h.limit > 0 {
		h.requests = last(h.requests, h.limit)
		h.queued = last(h.queued, h.limit)
	}
}

// last drops the oldest requests, until the rest fit limit and historyBytes.
func last(list []*Request, limit int) []*Request {
	start, size := len(list), 0
	for start > 0 && len(list)-start < limit {
		size += list[start-1].size()
		if size > historyBytes {
			break
		}
		start--
	}
	return slices.Delete(list, 0, start)
}

func copies(list []*Request) []Request {
	out := make([]Request, len(list))
	for i, r := range list {
		out[i] = *r
		out[i].revision = 0
	}
	return out
}
