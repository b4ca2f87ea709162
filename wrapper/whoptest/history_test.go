package whoptest_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestRequests(t *testing.T) {
	server := whoptest.NewServer(t)
	exchange{path: "/notifications?source=cron", body: toCompany, header: keyed("order-1")}.do(t, server)
	exchange{body: `{}`}.do(t, server)
	exchange{path: "/payments", method: http.MethodGet}.do(t, server)
	exchange{body: toExperience, header: header("Authorization", "Bearer wrong")}.do(t, server)

	requests := server.Requests()
	require.Len(t, requests, 4)
	first := requests[0]
	assert.Equal(t, http.MethodPost, first.Method)
	assert.Equal(t, "/api/v1/notifications", first.Path)
	assert.Equal(t, "source=cron", first.Query)
	assert.Equal(t, "order-1", first.IdempotencyKey)
	assert.Equal(t, toCompany, string(first.Body))
	assert.Equal(t, "application/json", first.Header.Get("Content-Type"))
	assert.False(t, first.Time.IsZero())
	for i, status := range []int{200, 400, 404, 401} {
		assert.Equal(t, status, requests[i].Status)
	}
	assert.Equal(t, `{}`, string(requests[1].Body))
	assert.Equal(t, "Invalid or missing API key", requests[3].Reason)
	assert.Empty(t, first.Reason)
	assert.Nil(t, requests[3].Body, "not read")

	queued := server.Queued()
	require.Len(t, queued, 1)
	assert.Equal(t, first, queued[0])

	requests[0].Method = "changed"
	assert.Equal(t, http.MethodPost, server.Requests()[0].Method, "the caller's copy is its own")
}

func TestReplaysAreMarked(t *testing.T) {
	server := whoptest.NewServer(t)
	for _, body := range []string{toCompany, toCompany, toExperience} {
		exchange{body: body, header: keyed("order-1")}.do(t, server)
	}
	requests := server.Requests()
	assert.False(t, requests[0].Replayed)
	assert.True(t, requests[1].Replayed)
	assert.False(t, requests[2].Replayed, "a mismatch is an answer of its own")
	assert.Contains(t, requests[2].Reason, "different request")
}
