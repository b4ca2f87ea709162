package whoptest_test

import (
	"bytes"
	"fmt"
	"log/slog"
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
	assert.Equal(t, "Bearer wrong", requests[3].Header.Get("Authorization"))
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

func TestHistoryLimit(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetHistoryLimit(3)
	send := func(i int) answer {
		return exchange{body: toCompany, header: keyed(fmt.Sprint("order-", i))}.do(t, server)
	}
	keys := func(requests []whoptest.Request) (keys []string) {
		for _, r := range requests {
			keys = append(keys, r.IdempotencyKey)
		}
		return keys
	}
	for i := range 5 {
		require.Equal(t, 200, send(i).status)
	}
	assert.Equal(t, []string{"order-2", "order-3", "order-4"}, keys(server.Requests()))
	assert.Equal(t, []string{"order-2", "order-3", "order-4"}, keys(server.Queued()))

	assert.Equal(t, "true", send(0).header.Get("Idempotent-Replayed"), "keys outlive requests")
	assert.Equal(t, []string{"order-3", "order-4", "order-0"}, keys(server.Requests()))
	assert.Equal(t, []string{"order-2", "order-3", "order-4"}, keys(server.Queued()))

	server.SetHistoryLimit(1)
	assert.Equal(t, []string{"order-0"}, keys(server.Requests()))
	assert.Equal(t, []string{"order-4"}, keys(server.Queued()))
	server.SetHistoryLimit(0)
	for i := range 5 {
		send(10 + i)
	}
	assert.Len(t, server.Requests(), 6)
}

func TestHistoryLimitForgetsStrangers(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetHistoryLimit(10)
	var log bytes.Buffer
	server.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	stranger := keyed("order-1")
	stranger.Set("Authorization", "Bearer wrong")
	server.Script(whoptest.Serve(), whoptest.Error(503, "", "Busy"))
	for _, path := range []string{"/notifications", "/notifications", "/secret"} {
		exchange{path: path, body: toCompany, header: stranger}.do(t, server)
	}
	requests := server.Requests()
	require.Len(t, requests, 3)
	for i, want := range []whoptest.Request{
		{ID: 1, Status: 401, Reason: "Invalid or missing API key"},
		{ID: 2, Status: 503, Reason: "Busy"},
		{ID: 3, Status: 404, Reason: "Resource not found"},
	} {
		assert.False(t, requests[i].Time.IsZero())
		assert.False(t, requests[i].Ended.IsZero())
		want.Time, want.Ended = requests[i].Time, requests[i].Ended
		assert.Equal(t, want, requests[i])
	}
	server.Close()
	assert.Contains(t, log.String(), `status=401 reason="Invalid or missing API key"`)
	for _, theirs := range []string{"secret", "order-1", "wrong"} {
		assert.NotContains(t, log.String(), theirs)
	}
}
