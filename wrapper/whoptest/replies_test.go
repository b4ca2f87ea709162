package whoptest_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// readAnswer reads a whole answer, and returns the error that prevented it.
func readAnswer(client *http.Client, r *http.Request) error {
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

const limited = `{"error":{"type":"too_many_requests","code":"rate_limit_exceeded","message":"Rate limit exceeded.`

func TestScriptedAnswers(t *testing.T) {
	for _, test := range []struct {
		name   string
		reply  whoptest.Reply
		status int
		body   string
		header http.Header // of the answer
		queued int
	}{
		{name: "Serve", reply: whoptest.Serve(), status: 200, body: queuedBody, queued: 1},
		{name: "zero Reply", reply: whoptest.Reply{}, status: 200, body: queuedBody, queued: 1},
		{
			name: "Error", reply: whoptest.Error(403, "no_permission", "Not allowed"),
			status: 403, body: `{"error":{"type":"forbidden","code":"no_permission","message":"Not allowed"}}`,
		},
		{
			name: "Error without a code", reply: whoptest.Error(500, "", "Boom"),
			status: 500, body: `{"error":{"type":"internal_server_error","message":"Boom"}}`,
		},
		{
			name: "Error of no known status", reply: whoptest.Error(599, "", "Boom"),
			status: 599, body: `{"error":{"type":"error","message":"Boom"}}`,
		},
		{
			name: "Error with a header", reply: whoptest.Error(400, "", "No").WithHeader("X-Should-Retry", "true"),
			status: 400, body: `{"error":{"type":"invalid_request_error","message":"No"}}`, header: header("X-Should-Retry", "true"),
		},
		{
			name: "RateLimited", reply: whoptest.RateLimited(1500 * time.Millisecond),
			status: 429, body: limited + ` Try again in 2 seconds."}}`, header: header("Retry-After", ""),
		},
		{
			name: "RateLimited for an instant", reply: whoptest.RateLimited(time.Nanosecond),
			status: 429, body: limited + ` Try again in 1 second."}}`,
		},
		{
			name: "RateLimitedAfter", reply: whoptest.RateLimitedAfter(2 * time.Second),
			status: 429, body: limited + `"}}`, header: header("Retry-After", "2"),
		},
		{
			name: "RateLimitedAfter a fraction", reply: whoptest.RateLimitedAfter(time.Millisecond),
			status: 429, body: limited + `"}}`, header: header("Retry-After", "0.001"),
		},
		{name: "NotQueued", reply: whoptest.NotQueued(), status: 200, body: `{"success":false}`},
		{
			name: "Raw", reply: whoptest.Raw(502, "text/html", "<h1>Bad gateway</h1>"),
			status: 502, body: "<h1>Bad gateway</h1>", header: header("Content-Type", "text/html"),
		},
		{
			name: "Raw without a body", reply: whoptest.Raw(204, "", "").WithHeader("Idempotent-Replayed", "true"),
			status: 204, header: header("Idempotent-Replayed", "true"),
		},
		{
			name: "Error after queueing", reply: whoptest.Error(503, "", "Busy").AfterQueueing(),
			status: 503, body: `{"error":{"type":"service_unavailable","message":"Busy"}}`, queued: 1,
		},
		{
			name: "Raw after queueing", reply: whoptest.Raw(200, "text/html", "<p>fine</p>").AfterQueueing(),
			status: 200, body: "<p>fine</p>", queued: 1,
		},
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

// Scripted answers have the envelope and success status of the request's version.
func TestScriptedAnswersOfTheCurrentContract(t *testing.T) {
	for _, test := range []struct {
		reply  whoptest.Reply
		status int
		body   string
		queued int
	}{
		{reply: whoptest.Serve(), status: 202, body: queuedBody, queued: 1},
		{reply: whoptest.NotQueued(), status: 202, body: `{"success":false}`},
		{reply: whoptest.Error(400, "", "No"), status: 400, body: `{"error":{"type":"bad_request","message":"No"}}`},
		{reply: whoptest.RateLimited(time.Second), status: 429, body: limited + ` Try again in 1 second."}}`},
		{reply: whoptest.Error(409, "", "Busy").AfterQueueing(), status: 409, body: `{"error":{"type":"conflict","message":"Busy"}}`, queued: 1},
	} {
		t.Run(test.reply.String(), func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			a := exchange{body: toAccount, header: dated("2026-09-25")}.do(t, server)
			assert.Equal(t, test.status, a.status)
			assert.Equal(t, test.body, a.body)
			assert.Len(t, server.Queued(), test.queued)
		})
	}
}

func TestScriptedBreaks(t *testing.T) {
	garbage := []byte("ICY 200 OK\r\n\r\n")
	for _, test := range []struct {
		reply  whoptest.Reply
		queued int
		read   string // the body, as far as the server read it
		err    error  // nil: any
		status int
	}{
		{reply: whoptest.Reset()},
		{reply: whoptest.Reset().Remembered().WithHeader("X", "y")},
		{reply: whoptest.Reset().AfterQueueing(), queued: 1, read: toCompany},
		{reply: whoptest.Reset().AfterQueueing().Remembered(), queued: 1, read: toCompany},
		{reply: whoptest.Garbage(garbage), read: toCompany},
		{reply: whoptest.Garbage(garbage).Remembered(), read: toCompany},
		{reply: whoptest.Garbage(garbage).AfterQueueing(), queued: 1, read: toCompany},
		{reply: whoptest.Garbage(nil), read: toCompany},
		{reply: whoptest.Truncate(), queued: 1, read: toCompany, err: io.ErrUnexpectedEOF, status: 200},
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
			assert.Equal(t, test.read, string(server.Requests()[0].Body))
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
		body   string // "": toCompany
		queued int
	}{
		{reply: whoptest.Stall(), queued: 0},
		{reply: whoptest.Stall().AfterQueueing(), queued: 1},
		{reply: whoptest.StallFor(0), queued: 0},
		{reply: whoptest.StallFor(time.Hour), queued: 0},
		{reply: whoptest.StallFor(time.Hour).AfterQueueing(), queued: 1},
		{reply: whoptest.Stall(), body: strings.Repeat("x", 11<<20)},
	} {
		t.Run(test.reply.String(), func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			request := exchange{body: cmp.Or(test.body, toCompany)}.request(t, server).WithContext(ctx)
			require.ErrorIs(t, readAnswer(newHTTP(t), request), context.DeadlineExceeded)
			assert.Len(t, server.Queued(), test.queued)
			require.Eventually(t, func() bool { return !server.Requests()[0].Ended.IsZero() }, 10*time.Second, time.Millisecond, "it notices that the client has gone")
			assert.Zero(t, server.Requests()[0].Status)
		})
	}
}

func TestStallForAnswersLate(t *testing.T) {
	const late = 20 * time.Millisecond
	server := whoptest.NewServer(t)
	server.Script(whoptest.StallFor(late), whoptest.StallFor(late), whoptest.StallFor(late).AfterQueueing())
	for i, want := range []struct {
		body   string
		status int
		queued int
	}{
		{body: toCompany, status: 200, queued: 1},
		{body: `{}`, status: 400, queued: 1},
		{body: toCompany, status: 200, queued: 2},
	} {
		begun := time.Now()
		a := exchange{body: want.body}.do(t, server)
		assert.GreaterOrEqual(t, time.Since(begun), late)
		assert.Equal(t, want.status, a.status)
		assert.Len(t, server.Queued(), want.queued)
		assert.Equal(t, want.body, string(server.Requests()[i].Body))
	}
}

// AfterQueueing refuses what normal service refuses: there is nothing to queue.
func TestAfterQueueingRefused(t *testing.T) {
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

// Close does not wait for a client that does not read.
func TestCloseEndsGarbage(t *testing.T) {
	server, err := whoptest.Start("127.0.0.1:0")
	require.NoError(t, err)
	server.Script(whoptest.Garbage(make([]byte, 64<<20)))
	address, err := url.Parse(server.URL())
	require.NoError(t, err)
	conn, err := net.Dial("tcp", address.Host)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /api/v1/notifications HTTP/1.1\r\nHost: whop\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.NoError(t, err, "it is writing")

	closed := make(chan struct{})
	go func() {
		defer close(closed)
		server.Close()
	}()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("Close waits for the client")
	}
}

func TestStatusesThatCannotBeSent(t *testing.T) {
	for _, status := range []int{0, 102, 199, 1000} {
		assert.PanicsWithValue(t, fmt.Sprintf("whoptest: the status %d is not between 200 and 999", status), func() { whoptest.Raw(status, "", "") })
		assert.Panics(t, func() { whoptest.Error(status, "", "") })
	}
	for _, status := range []int{204, 304} {
		server := whoptest.NewServer(t)
		server.Script(whoptest.Raw(status, "application/json", queuedBody))
		_ = readAnswer(newHTTP(t), exchange{body: toCompany}.request(t, server))
		assert.Equal(t, status, server.Requests()[0].Status)
		assert.Empty(t, server.Requests()[0].AnswerBody)
	}
}
