package wrapper_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whether to send again is not for a header of a 2xx to say.
func TestRetryableOfASuccessThatSaysOtherwise(t *testing.T) {
	for _, test := range []struct {
		name, body, header string
		retryable          bool
	}{
		{name: "not_queued_but_retry", body: `{"success":false}`, header: "true"},
		{name: "not_queued", body: `{"success":false}`, header: "false"},
		{name: "not_understood_but_stop", body: `{}`, header: "false", retryable: true},
		{name: "not_understood", body: `{}`, header: "true", retryable: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := with(200, test.body, "X-Should-Retry", test.header)
			failure := sendError(t, newClient(t, "https://whop.test", inMemory(inTurn(answer))), paid)
			assert.Equal(t, test.retryable, failure.Retryable())
			assert.Equal(t, 1, failure.Attempts)
		})
	}
}
