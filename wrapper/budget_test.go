package wrapper_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// In an outage retries come to an end; they come back with successes.
func TestRetryBudget(t *testing.T) {
	var requests, down atomic.Int32
	down.Store(1)
	client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
		requests.Add(1)
		if down.Load() == 1 {
			return response(503, ""), nil
		}
		return response(200, queuedBody), nil
	}))
	for range 1000 {
		sendError(t, client, paid)
	}
	assert.EqualValues(t, 1000+500/5, requests.Load())
	failure := sendError(t, client, paid)
	assert.Equal(t, 1, failure.Attempts)
	assert.ErrorContains(t, failure, "too many attempts of this client have failed lately")
	assert.ErrorIs(t, failure, whop.ErrServer)
	assert.True(t, failure.Retryable())

	down.Store(0)
	for range 10 { // each gives back 1, two retries take 10
		_, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
	}
	down.Store(1)
	assert.Equal(t, 3, sendError(t, client, paid).Attempts)
	assert.Equal(t, 1, sendError(t, client, paid).Attempts)
}

func TestRetryBudgetAfterTimeouts(t *testing.T) {
	var requests atomic.Int32
	client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
		requests.Add(1)
		return nil, context.DeadlineExceeded
	}))
	for range 100 {
		sendError(t, client, paid)
	}
	assert.EqualValues(t, 100+500/10, requests.Load())
}

// A success gives back what its retries took.
func TestRetryBudgetRefund(t *testing.T) {
	var requests atomic.Int32
	client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
		if requests.Add(1)%3 != 0 {
			return response(503, ""), nil
		}
		return response(200, queuedBody), nil
	}))
	for range 300 {
		receipt, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		assert.Equal(t, 3, receipt.Attempts)
	}
}
