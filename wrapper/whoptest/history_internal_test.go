package whoptest

import (
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
}
