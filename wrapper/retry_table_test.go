package wrapper_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// retryRow is a row of the table of RetryPolicy: what an attempt that ends like this
// means, and whether another is made.
type retryRow struct {
	name              string
	outcome           whop.Outcome
	retry, atMostOnce bool
	is                error
}

// verify runs a row, with a delay before the retry. once gives a server of which the first
// request ends as the row says and later ones are served.
func (row retryRow) verify(t *testing.T, delay time.Duration, once func(*testing.T) (baseURL string, opts []whop.Option)) {
	t.Run(row.name, func(t *testing.T) {
		for _, policy := range []struct {
			name       string
			atMostOnce bool
			retried    bool
		}{
			{"default", false, row.retry},
			{"AtMostOnce", true, row.atMostOnce},
		} {
			t.Run(policy.name, func(t *testing.T) {
				p := whop.RetryPolicy{MaxAttempts: 2, BaseDelay: delay, AtMostOnce: policy.atMostOnce}
				url, opts := once(t)
				opts = append([]whop.Option{whop.WithRetryPolicy(p)}, opts...)
				client := newClient(t, url, opts...)
				if policy.retried {
					receipt, err := client.Send(t.Context(), paid)
					require.NoError(t, err)
					assert.Equal(t, 2, receipt.Attempts)
					return
				}
				failure := sendError(t, client, paid)
				assert.Equal(t, 1, failure.Attempts)
				row.check(t, failure)
			})
		}
		t.Run("last attempt", func(t *testing.T) {
			p := whop.RetryPolicy{MaxAttempts: 1}
			url, opts := once(t)
			opts = append([]whop.Option{whop.WithRetryPolicy(p)}, opts...)
			row.check(t, sendError(t, newClient(t, url, opts...), paid))
		})
	})
}

func (row retryRow) check(t *testing.T, failure *whop.SendError) {
	assert.Equal(t, row.outcome, failure.Outcome, "%v", failure)
	if row.is != nil {
		assert.ErrorIs(t, failure, row.is)
	}
}

func TestRetryTableOfAnswers(t *testing.T) {
	const (
		unknown  = whop.Unknown
		rejected = whop.Rejected
	)
	fail := func(status int) whoptest.Reply { return whoptest.Error(status, "", "no") }
	inProgress := whoptest.Error(409, "idempotency_request_in_progress", "wait")

	for _, row := range []struct {
		retryRow
		reply whoptest.Reply
	}{
		{retryRow{"408", unknown, true, false, nil}, fail(408)},
		{retryRow{"429", rejected, true, true, whop.ErrRateLimited}, fail(429)},
		{retryRow{"409 in progress", unknown, true, true, whop.ErrIdempotencyInProgress}, inProgress},
		{retryRow{"500", unknown, true, false, whop.ErrServer}, fail(500)},
		{retryRow{"502", unknown, true, false, whop.ErrServer}, fail(502)},
		{retryRow{"503", unknown, true, false, whop.ErrServer}, fail(503)},
		{retryRow{"504", unknown, true, false, whop.ErrServer}, fail(504)},
		{retryRow{"599", unknown, true, false, whop.ErrServer}, fail(599)},
		{retryRow{"500 after queueing", unknown, true, false, whop.ErrServer}, fail(500).AfterQueueing()},

		{retryRow{"2xx without a body", unknown, false, false, whop.ErrMalformedResponse}, whoptest.Raw(200, "application/json", "")},
		{retryRow{"204", unknown, false, false, whop.ErrMalformedResponse}, whoptest.Raw(204, "application/json", "")},
		{retryRow{"2xx with HTML", unknown, false, false, whop.ErrMalformedResponse}, whoptest.Raw(200, "text/html", "<html>Sign in</html>")},
		{retryRow{"2xx cut", unknown, false, false, whop.ErrMalformedResponse}, whoptest.Truncate()},
		{retryRow{"2xx success false", rejected, false, false, whop.ErrNotQueued}, whoptest.NotQueued()},

		{retryRow{"301", rejected, false, false, whop.ErrRedirect}, fail(301).WithHeader("Location", "/elsewhere")},
		{retryRow{"302 to nowhere", rejected, false, false, whop.ErrRedirect}, fail(302).WithHeader("Location", "http://[bad")},
		{retryRow{"303", unknown, false, false, whop.ErrRedirect}, fail(303)},
		{retryRow{"304", rejected, false, false, whop.ErrRedirect}, whoptest.Raw(304, "", "")},
		{retryRow{"307", rejected, false, false, whop.ErrRedirect}, fail(307).WithHeader("Location", "http://127.0.0.1:1/")},
		{retryRow{"400", rejected, false, false, whop.ErrBadRequest}, fail(400)},
		{retryRow{"400 mismatch", rejected, false, false, whop.ErrIdempotencyMismatch}, whoptest.Error(400, "idempotency_key_mismatch", "other")},
		{retryRow{"401", rejected, false, false, whop.ErrUnauthorized}, fail(401)},
		{retryRow{"403", rejected, false, false, whop.ErrForbidden}, fail(403)},
		{retryRow{"404", rejected, false, false, whop.ErrNotFound}, fail(404)},
		{retryRow{"409", rejected, false, false, whop.ErrConflict}, fail(409)},
		{retryRow{"413", rejected, false, false, nil}, fail(413)},
		{retryRow{"422", rejected, false, false, whop.ErrVerificationRequired}, whoptest.Raw(422, "application/json", `{"error":null}`)},
		{retryRow{"425", rejected, false, false, nil}, fail(425)},

		{retryRow{"400 but retry", rejected, true, true, whop.ErrBadRequest}, fail(400).WithHeader("X-Should-Retry", "true")},
		{retryRow{"302 but retry", rejected, true, true, whop.ErrRedirect}, fail(302).WithHeader("X-Should-Retry", "true")},
		{retryRow{"500 do retry", unknown, true, false, whop.ErrServer}, fail(500).WithHeader("X-Should-Retry", "true")},
		{retryRow{"500 do not retry", unknown, false, false, whop.ErrServer}, fail(500).WithHeader("X-Should-Retry", "false")},
		{retryRow{"429 do not retry", rejected, false, false, whop.ErrRateLimited}, fail(429).WithHeader("X-Should-Retry", "false")},
		{retryRow{"409 in progress, do not retry", unknown, false, false, whop.ErrIdempotencyInProgress}, inProgress.WithHeader("X-Should-Retry", "false")},
		{retryRow{"success false but retry", rejected, false, false, whop.ErrNotQueued}, whoptest.NotQueued().WithHeader("X-Should-Retry", "true")},
		{retryRow{"500 nonsense in the header", unknown, true, false, whop.ErrServer}, fail(500).WithHeader("X-Should-Retry", "maybe")},

		{retryRow{"429 replayed", rejected, true, true, whop.ErrRateLimited}, fail(429).WithHeader("Idempotent-Replayed", "true")},
		{retryRow{"408 replayed", rejected, true, true, nil}, fail(408).WithHeader("Idempotent-Replayed", "true")},

		{retryRow{"reset", unknown, true, false, nil}, whoptest.Reset().AfterQueueing()},
		{retryRow{"garbage", unknown, true, false, nil}, whoptest.Garbage([]byte("\x16\x03\x01 not HTTP\r\n\r\n"))},
		{retryRow{"a status that is none", unknown, true, false, nil}, whoptest.Garbage([]byte("HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n"))},
	} {
		row.verify(t, time.Microsecond, func(t *testing.T) (string, []whop.Option) {
			server := whoptest.NewServer(t)
			server.Script(row.reply)
			return server.URL(), []whop.Option{whop.WithAPIKey(server.APIKey())}
		})
	}
}

func TestRetryTableOfConnections(t *testing.T) {
	// The first connection goes wrong, the second serves.
	for _, row := range []struct {
		retryRow
		serve func(net.Conn)
	}{
		{retryRow{"closed without an answer", whop.Unknown, true, false, nil}, readRequest},
		{retryRow{"reset without an answer", whop.Unknown, true, false, nil}, func(c net.Conn) { readRequest(c); reset(c) }},
		{retryRow{"closed in the middle of the request", whop.Unknown, true, false, nil}, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }},
		{retryRow{"headers cut", whop.Unknown, true, false, nil}, say("HTTP/1.1 200 OK\r\nContent-Le")},
		{retryRow{"switching protocols", whop.Unknown, true, false, nil}, func(c net.Conn) {
			say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n")(c)
			_, _ = io.Copy(io.Discard, c) // and stays open
		}},
		{retryRow{"body cut", whop.Unknown, false, false, whop.ErrMalformedResponse}, say("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"succ")},
		{retryRow{"chunks cut", whop.Unknown, false, false, whop.ErrMalformedResponse}, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"success\":true}\r\n")},
		{retryRow{"400 cut", whop.Rejected, false, false, whop.ErrBadRequest}, say("HTTP/1.1 400 Bad Request\r\nContent-Length: 90\r\n\r\n{\"error")},
		{retryRow{"503 cut", whop.Unknown, true, false, whop.ErrServer}, say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 90\r\n\r\nno")},
		{retryRow{"409 cut, so that it may say in progress", whop.Unknown, true, true, whop.ErrConflict}, say("HTTP/1.1 409 Conflict\r\nContent-Length: 90\r\n\r\n{\"error")},
	} {
		row.verify(t, time.Microsecond, func(t *testing.T) (string, []whop.Option) {
			return rawServer(t, row.serve, say(sayQueued)), noKeepAlive(t)
		})
	}
}

func TestRetryTableOfTimeouts(t *testing.T) {
	for _, row := range []struct {
		retryRow
		reply whoptest.Reply
	}{
		{retryRow{"no answer", whop.Unknown, true, false, nil}, whoptest.Stall()},
		{retryRow{"no answer, but queued", whop.Unknown, true, false, nil}, whoptest.Stall().AfterQueueing()},
	} {
		row.verify(t, time.Second, func(t *testing.T) (string, []whop.Option) {
			server := whoptest.NewServer(t)
			server.Script(row.reply)
			// By the retry the server must have noticed that the client is gone.
			return server.URL(), []whop.Option{whop.WithAPIKey(server.APIKey()), whop.WithAttemptTimeout(250 * time.Millisecond)}
		})
	}
}

func TestAttemptTimeoutSaysWhoseItWas(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Stall())
	client := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()),
		whop.WithAttemptTimeout(50*time.Millisecond), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	failure := sendError(t, client, paid)
	assert.ErrorContains(t, failure, "no complete answer within the attempt's 50ms")
	assert.True(t, failure.Retryable())
	netErr, ok := errors.AsType[net.Error](error(failure))
	require.True(t, ok)
	assert.True(t, netErr.Timeout())
}

// noKeepAlive gives a transport that opens a connection for every attempt.
func noKeepAlive(t *testing.T) []whop.Option {
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return []whop.Option{whop.WithHTTPClient(&http.Client{Transport: transport})}
}
