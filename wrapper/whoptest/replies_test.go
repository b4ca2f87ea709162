package whoptest_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// readAnswer gives what keeps the whole answer to a request from being read.
func readAnswer(client *http.Client, r *http.Request) error {
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

func TestScriptedAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		reply  whoptest.Reply
		status int
		body   string
		header http.Header
		queued int
	}{
		{"Serve", whoptest.Serve(), 200, queuedBody, nil, 1},
		{"the zero Reply", whoptest.Reply{}, 200, queuedBody, nil, 1},
		{"Error", whoptest.Error(403, "no_permission", "Not allowed"), 403, `{"error":{"type":"forbidden","code":"no_permission","message":"Not allowed"}}`, nil, 0},
		{"Error without a code", whoptest.Error(500, "", "Boom"), 500, `{"error":{"type":"internal_server_error","message":"Boom"}}`, nil, 0},
		{"Error of no known status", whoptest.Error(599, "", "Boom"), 599, `{"error":{"type":"error","message":"Boom"}}`, nil, 0},
		{"Error with a header", whoptest.Error(400, "", "No").WithHeader("X-Should-Retry", "true"), 400, `{"error":{"type":"invalid_request_error","message":"No"}}`, header("X-Should-Retry", "true"), 0},
		{"RateLimited", whoptest.RateLimited(1500 * time.Millisecond), 429, `{"error":{"type":"too_many_requests","code":"rate_limited","message":"Rate limit exceeded. Try again in 2 seconds."}}`, header("Retry-After", ""), 0},
		{"RateLimited for an instant", whoptest.RateLimited(time.Nanosecond), 429, `{"error":{"type":"too_many_requests","code":"rate_limited","message":"Rate limit exceeded. Try again in 1 second."}}`, nil, 0},
		{"RateLimitedAfter", whoptest.RateLimitedAfter(2 * time.Second), 429, `{"error":{"type":"too_many_requests","code":"rate_limited","message":"Rate limit exceeded."}}`, header("Retry-After", "2"), 0},
		{"RateLimitedAfter a fraction", whoptest.RateLimitedAfter(time.Millisecond), 429, `{"error":{"type":"too_many_requests","code":"rate_limited","message":"Rate limit exceeded."}}`, header("Retry-After", "0.001"), 0},
		{"NotQueued", whoptest.NotQueued(), 200, `{"success":false}`, nil, 0},
		{"Raw", whoptest.Raw(502, "text/html", "<h1>Bad gateway</h1>"), 502, "<h1>Bad gateway</h1>", header("Content-Type", "text/html"), 0},
		{"Raw without a body", whoptest.Raw(204, "", "").WithHeader("Idempotent-Replayed", "true"), 204, "", header("Idempotent-Replayed", "true"), 0},
		{"Error after queueing", whoptest.Error(503, "", "Busy").AfterQueueing(), 503, `{"error":{"type":"service_unavailable","message":"Busy"}}`, nil, 1},
		{"Raw after queueing", whoptest.Raw(200, "text/html", "<p>fine</p>").AfterQueueing(), 200, "<p>fine</p>", nil, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			request := exchange{body: toCompany, header: keyed("order-1")}
			a := request.do(t, server)
			assert.Equal(t, test.status, a.status)
			assert.Equal(t, test.body, a.body)
			for name := range test.header {
				assert.Equal(t, test.header.Get(name), a.header.Get(name), name)
			}
			assert.Len(t, server.Queued(), test.queued)
			assert.Equal(t, toCompany, string(server.Requests()[0].Body))
			assert.Equal(t, test.status, server.Requests()[0].Status)

			again := request.do(t, server)
			assert.Equal(t, 200, again.status, "normal service goes on")
			assert.Equal(t, queuedBody, again.body)
			assert.Equal(t, test.queued == 1, again.header.Get("Idempotent-Replayed") == "true", "what was queued is remembered, and nothing else")
			assert.Len(t, server.Queued(), 1)
		})
	}
}

func TestScriptedBreaks(t *testing.T) {
	garbage := []byte("ICY 200 OK\r\n\r\n")
	for _, test := range []struct {
		reply  whoptest.Reply
		queued int
		body   string // what the server read; "" for nothing
		err    error  // nil: any
		status int
	}{
		{whoptest.Reset(), 0, "", nil, 0},
		{whoptest.Reset().Remembered().WithHeader("X", "y"), 0, "", nil, 0},
		{whoptest.Reset().AfterQueueing(), 1, toCompany, nil, 0},
		{whoptest.Reset().AfterQueueing().Remembered(), 1, toCompany, nil, 0},
		{whoptest.Garbage(garbage), 0, toCompany, nil, 0},
		{whoptest.Garbage(garbage).Remembered(), 0, toCompany, nil, 0},
		{whoptest.Garbage(garbage).AfterQueueing(), 1, toCompany, nil, 0},
		{whoptest.Garbage(nil), 0, toCompany, nil, 0},
		{whoptest.Truncate(), 1, toCompany, io.ErrUnexpectedEOF, 200},
	} {
		t.Run(test.reply.String(), func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			request := exchange{body: toCompany, header: keyed("order-1")}
			err := readAnswer(newHTTP(t), request.request(t, server))
			require.Error(t, err)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			}
			assert.Len(t, server.Queued(), test.queued)
			assert.Equal(t, test.body, string(server.Requests()[0].Body))
			assert.Equal(t, test.status, server.Requests()[0].Status)

			again := request.do(t, server)
			assert.Equal(t, 200, again.status)
			assert.Equal(t, test.queued == 1, again.header.Get("Idempotent-Replayed") == "true")
			assert.Len(t, server.Queued(), 1)
		})
	}
}

func TestStall(t *testing.T) {
	for _, test := range []struct {
		reply  whoptest.Reply
		queued int
	}{
		{whoptest.Stall(), 0},
		{whoptest.Stall().AfterQueueing(), 1},
	} {
		t.Run(test.reply.String(), func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			request := exchange{body: toCompany}.request(t, server).WithContext(ctx)
			require.ErrorIs(t, readAnswer(newHTTP(t), request), context.DeadlineExceeded)
			assert.Len(t, server.Queued(), test.queued)
			assert.Zero(t, server.Requests()[0].Status)
		})
	}
}

// What is refused in normal service is refused after queueing as well: there was
// nothing to queue.
func TestAfterQueueingOfARefusedRequest(t *testing.T) {
	server := whoptest.NewServer(t)
	for range 3 {
		server.Script(whoptest.Reset().AfterQueueing(), whoptest.Truncate(), whoptest.Stall().AfterQueueing())
	}
	for _, refused := range []exchange{
		{body: `{}`},
		{body: toCompany, header: header("Authorization", "Bearer wrong")},
		{path: "/payments"},
	} {
		for range 3 {
			a := refused.do(t, server)
			assert.Contains(t, []int{400, 401, 404}, a.status)
		}
	}
	assert.Empty(t, server.Queued())
}

func TestCloseEndsStalls(t *testing.T) {
	server, err := whoptest.Start("127.0.0.1:0")
	require.NoError(t, err)
	server.Script(whoptest.Stall(), whoptest.Stall().AfterQueueing(), whoptest.Stall())
	client := newHTTP(t)
	failures := make(chan error)
	for range 3 {
		request := exchange{body: toCompany}.request(t, server)
		go func() { failures <- readAnswer(client, request) }()
	}
	require.Eventually(t, func() bool { return len(server.Requests()) == 3 && len(server.Queued()) == 1 }, 10*time.Second, time.Millisecond)

	server.Close()
	for range 3 {
		require.Error(t, <-failures)
	}
	server.Close() // twice is fine
	err = readAnswer(client, exchange{body: toCompany}.request(t, server))
	require.Error(t, err, "nobody listens")
	assert.Len(t, server.Requests(), 3, "what there was can still be read")
}
