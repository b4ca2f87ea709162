package whoptest

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// No answer shows which keys are forgotten, so look into the memory.
func TestKeysAreForgotten(t *testing.T) {
	start := time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name  string
		limit int
		every time.Duration // between keys
		left  int
	}{
		{name: "all are young", every: time.Minute, left: 100},
		{name: "expired", every: time.Hour, left: 24},
		{name: "beyond the limit", limit: 10, every: time.Minute, left: 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			var keys idempotencyKeys
			for i := range 100 {
				keys.claim(callersKey{key: strconv.Itoa(i)}, [32]byte{}, start.Add(time.Duration(i)*test.every), test.limit)
			}
			assert.Len(t, keys.records, test.left)
			assert.Len(t, keys.oldest, test.left)
			assert.Contains(t, keys.records, callersKey{key: "99"})
		})
	}

	// A key claimed again after it expired gets a new record.
	var keys idempotencyKeys
	again := callersKey{key: "again"}
	keys.claim(again, [32]byte{1}, start, 0)
	keys.claim(again, [32]byte{2}, start.Add(keyLifetime), 0)
	assert.Equal(t, [32]byte{2}, keys.records[again].fingerprint)
	assert.Len(t, keys.oldest, 1)
}
