package whoptest

import (
	"net/http"
	"slices"
	"time"
)

// Request is one request that the server got.
type Request struct {
	Method, Path, Query string // Path as in "/api/v1/notifications", Query without "?"
	Header              http.Header
	Body                []byte    // nil if the server did not read it
	IdempotencyKey      string    // "" if it had none
	APIVersion          string    // the date in its header, else that of SetAPIVersion
	Time                time.Time // of its arrival
	Status              int       // of the answer; 0: none was given
	Replayed            bool      // the answer was that of an earlier request under the key
	Reason              string    // the message of an error; "" for any other answer
}

// historyBytes bounds the bodies in a history that has a limit.
const historyBytes = 64 << 20

// history is what came, in order of arrival.
type history struct {
	limit    int // 0: all is kept
	requests []*Request
	queued   []*Request
}

func (h *history) arrive(r *Request) {
	h.requests = append(h.requests, r)
	h.trim()
}

func (h *history) queue(r *Request) {
	h.queued = append(h.queued, r)
	h.trim()
}

func (h *history) trim() {
	if h.limit > 0 {
		h.requests = last(h.requests, h.limit)
		h.queued = last(h.queued, h.limit)
	}
}

// last drops the oldest, until limit and historyBytes are kept.
func last(list []*Request, limit int) []*Request {
	start, size := len(list), 0
	for start > 0 && len(list)-start < limit {
		size += len(list[start-1].Body)
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
	}
	return out
}
