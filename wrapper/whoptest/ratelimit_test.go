package whoptest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestRateLimit(t *testing.T) {
	const perMinute = 600
	server := whoptest.NewServer(t)
	server.SetRateLimit(perMinute)
	start := time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)
	now := start
	server.SetClock(func() time.Time { return now })
	request := exchange{body: toCompany}
	client := newHTTP(t)
	send := func() int {
		resp, err := client.Do(request.request(t, server))
		require.NoError(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}

	for i := range perMinute {
		now = start.Add(time.Duration(i) * 50 * time.Millisecond) // over 30 s
		require.Equal(t, 200, send())
	}
	a := request.do(t, server)
	require.Equal(t, 429, a.status)
	assert.Empty(t, a.header.Get("Retry-After"), "Whop documents no header")
	assert.Equal(t, "Rate limit exceeded. Try again in 31 seconds.", a.apiError(t).Message, "30.05 s until the first has left the window, rounded up")
	assert.Equal(t, 401, exchange{body: toCompany, header: header("Authorization", "Bearer wrong")}.do(t, server).status, "comes before it")
	assert.Equal(t, 404, exchange{path: "/payments"}.do(t, server).status, "the limit is of the operation")

	now = start.Add(time.Minute - time.Nanosecond)
	assert.Equal(t, "Rate limit exceeded. Try again in 1 second.", request.do(t, server).apiError(t).Message)
	now = start.Add(time.Minute)
	assert.Equal(t, 200, send(), "the window slides")
	assert.Equal(t, 429, send(), "by one request, not by the whole minute")
	now = now.Add(50 * time.Millisecond)
	assert.Equal(t, 200, send())
	assert.Len(t, server.Queued(), perMinute+2)

	server.SetAPIKey("another-credential")
	assert.Equal(t, 200, send(), "each credential has its own")
	server.SetRateLimit(0)
	for range 2 * perMinute {
		require.Equal(t, 200, send())
	}
}

func TestRateLimitCountsReplays(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetRateLimit(2)
	request := exchange{body: toCompany, header: keyed("order-1")}
	assert.Equal(t, 200, request.do(t, server).status)
	assert.Equal(t, 200, request.do(t, server).status)
	assert.Equal(t, 429, request.do(t, server).status)
	assert.Len(t, server.Queued(), 1)
}

// The wait that a refusal names is long enough.
func TestRateLimitLowered(t *testing.T) {
	server := whoptest.NewServer(t)
	start := time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)
	now := start
	server.SetClock(func() time.Time { return now })
	server.SetRateLimit(10)
	request := exchange{body: toCompany}
	for i := range 10 {
		now = start.Add(time.Duration(i) * time.Second)
		require.Equal(t, 200, request.do(t, server).status)
	}
	server.SetRateLimit(2)
	assert.Equal(t, "Rate limit exceeded. Try again in 59 seconds.", request.do(t, server).apiError(t).Message)
	now = now.Add(59 * time.Second)
	assert.Equal(t, 200, request.do(t, server).status)
}
