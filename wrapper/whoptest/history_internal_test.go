package whoptest

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Sizes that would take long to send.
func TestHistoryLimitBoundsBytes(t *testing.T) {
	body := make([]byte, 9<<20)
	h := history{limit: 100}
	for range 10 {
		r := &Request{Body: body}
		h.arrive(r)
		h.queue(r)
	}
	assert.Len(t, h.requests, 7, "64 MiB")
	assert.Len(t, h.queued, 7)
	for range 100 {
		h.arrive(&Request{})
	}
	assert.Len(t, h.requests, 100)
	assert.Len(t, h.queued, 7)

	for range 100 { // their size is known at the end
		r := &Request{}
		h.arrive(r)
		r.Header = http.Header{"X": {string(body[:3<<20])}}
		r.AnswerHeader = http.Header{"X": {string(body[:3<<20])}}
		r.AnswerBody = body[:3<<20]
		h.end(r)
	}
	assert.Len(t, h.requests, 7)
}
