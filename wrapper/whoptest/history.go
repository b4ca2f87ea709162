package whoptest

import (
	"net/http"
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

// history is what came, in order of arrival.
type history struct {
	requests []*Request
	queued   []*Request
}

func copies(list []*Request) []Request {
	out := make([]Request, len(list))
	for i, r := range list {
		out[i] = *r
	}
	return out
}
