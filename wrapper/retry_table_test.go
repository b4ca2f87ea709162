package wrapper_test

import (
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
// means, and whether another is made. reply or serve says how the attempt ends.
type retryRow struct {
	name              string
	outcome           whop.Outcome
	retriedByDefault  bool
	retriedAtMostOnce bool
	matches           error // of the error, by errors.Is; nil where it has none of the package's

	reply whoptest.Reply
	serve func(net.Conn)
}

// verify runs a row, with a delay before the retry. once returns a server of which the first
// request ends as the row says and later ones are served.
func (row retryRow) verify(t *testing.T, delay time.Duration, once func(*testing.T) (baseURL string, opts []whop.Option)) {
	t.Run(row.name, func(t *testing.T) {
		for _, policy := range []struct {
			name       string
			atMostOnce bool
			retried    bool
		}{
			{name: "default", retried: row.retriedByDefault},
			{name: "AtMostOnce", atMostOnce: true, retried: row.retriedAtMostOnce},
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
		t.Run("last_attempt", func(t *testing.T) {
			p := whop.RetryPolicy{MaxAttempts: 1}
			url, opts := once(t)
			opts = append([]whop.Option{whop.WithRetryPolicy(p)}, opts...)
			row.check(t, sendError(t, newClient(t, url, opts...), paid))
		})
	})
}

func (row retryRow) check(t *testing.T, failure *whop.SendError) {
	assert.Equal(t, row.outcome, failure.Outcome, "%v", failure)
	if row.matches != nil {
		assert.ErrorIs(t, failure, row.matches)
	}
}

func TestRetryAnswers(t *testing.T) {
	const (
		unknown  = whop.Unknown
		rejected = whop.Rejected
	)
	fail := func(status int) whoptest.Reply { return whoptest.Error(status, "", "no") }
	inProgress := whoptest.Error(409, "idempotency_request_in_progress", "wait")

	for _, row := range []retryRow{
		{name: "408", outcome: unknown, retriedByDefault: true, reply: fail(408)},
		{name: "429", outcome: rejected, retriedByDefault: true, retriedAtMostOnce: true, matches: whop.ErrRateLimited, reply: fail(429)},
		{name: "409_in_progress", outcome: unknown, retriedByDefault: true, retriedAtMostOnce: true, matches: whop.ErrIdempotencyInProgress, reply: inProgress},
		{name: "500", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(500)},
		{name: "502", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(502)},
		{name: "503", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(503)},
		{name: "504", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(504)},
		{name: "599", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(599)},
		{name: "500_after_queueing", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(500).AfterQueueing()},

		{name: "2xx_without_a_body", outcome: unknown, matches: whop.ErrMalformedResponse, reply: whoptest.Raw(200, "application/json", "")},
		{name: "204", outcome: unknown, matches: whop.ErrMalformedResponse, reply: whoptest.Raw(204, "application/json", "")},
		{name: "2xx_with_HTML", outcome: unknown, matches: whop.ErrMalformedResponse, reply: whoptest.Raw(200, "text/html", "<html>Sign in</html>")},
		{name: "2xx_cut", outcome: unknown, matches: whop.ErrMalformedResponse, reply: whoptest.Truncate()},
		{name: "2xx_success_false", outcome: rejected, matches: whop.ErrNotQueued, reply: whoptest.NotQueued()},

		{name: "301", outcome: rejected, matches: whop.ErrRedirect, reply: fail(301).WithHeader("Location", "/elsewhere")},
		{name: "302_to_nowhere", outcome: rejected, matches: whop.ErrRedirect, reply: fail(302).WithHeader("Location", "http://[bad")},
		{name: "303", outcome: unknown, matches: whop.ErrRedirect, reply: fail(303)},
		{name: "304", outcome: rejected, matches: whop.ErrRedirect, reply: whoptest.Raw(304, "", "")},
		{name: "307", outcome: rejected, matches: whop.ErrRedirect, reply: fail(307).WithHeader("Location", "http://127.0.0.1:1/")},
		{name: "400", outcome: rejected, matches: whop.ErrBadRequest, reply: fail(400)},
		{name: "400_mismatch", outcome: rejected, matches: whop.ErrIdempotencyMismatch, reply: whoptest.Error(400, "idempotency_key_mismatch", "other")},
		{name: "401", outcome: rejected, matches: whop.ErrUnauthorized, reply: fail(401)},
		{name: "403", outcome: rejected, matches: whop.ErrForbidden, reply: fail(403)},
		{name: "404", outcome: rejected, matches: whop.ErrNotFound, reply: fail(404)},
		{name: "409", outcome: rejected, matches: whop.ErrConflict, reply: fail(409)},
		{name: "413", outcome: rejected, reply: fail(413)},
		{name: "422", outcome: rejected, matches: whop.ErrVerificationRequired, reply: whoptest.Raw(422, "application/json", `{"error":null}`)},
		{name: "425", outcome: rejected, reply: fail(425)},

		{name: "400_but_retry", outcome: rejected, retriedByDefault: true, retriedAtMostOnce: true, matches: whop.ErrBadRequest, reply: fail(400).WithHeader("X-Should-Retry", "true")},
		{name: "302_but_retry", outcome: rejected, retriedByDefault: true, retriedAtMostOnce: true, matches: whop.ErrRedirect, reply: fail(302).WithHeader("X-Should-Retry", "true")},
		{name: "500_do_retry", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(500).WithHeader("X-Should-Retry", "true")},
		{name: "500_do_not_retry", outcome: unknown, matches: whop.ErrServer, reply: fail(500).WithHeader("X-Should-Retry", "false")},
		{name: "429_do_not_retry", outcome: rejected, matches: whop.ErrRateLimited, reply: fail(429).WithHeader("X-Should-Retry", "false")},
		{name: "409_in_progress_do_not_retry", outcome: unknown, matches: whop.ErrIdempotencyInProgress, reply: inProgress.WithHeader("X-Should-Retry", "false")},
		{name: "success_false_but_retry", outcome: rejected, matches: whop.ErrNotQueued, reply: whoptest.NotQueued().WithHeader("X-Should-Retry", "true")},
		{name: "500_retry_header_nonsense", outcome: unknown, retriedByDefault: true, matches: whop.ErrServer, reply: fail(500).WithHeader("X-Should-Retry", "maybe")},

		{name: "429_replayed", outcome: rejected, retriedByDefault: true, retriedAtMostOnce: true, matches: whop.ErrRateLimited, reply: fail(429).WithHeader("Idempotent-Replayed", "true")},
		{name: "408_replayed", outcome: rejected, retriedByDefault: true, retriedAtMostOnce: true, reply: fail(408).WithHeader("Idempotent-Replayed", "true")},

		{name: "reset", outcome: unknown, retriedByDefault: true, reply: whoptest.Reset().AfterQueueing()},
		{name: "garbage", outcome: unknown, retriedByDefault: true, reply: whoptest.Garbage([]byte("\x16\x03\x01 not HTTP\r\n\r\n"))},
		{name: "status_under_100", outcome: unknown, retriedByDefault: true, reply: whoptest.Garbage([]byte("HTTP/1.1 99 Odd\r\nContent-Length: 0\r\n\r\n"))},
	} {
		row.verify(t, time.Microsecond, func(t *testing.T) (string, []whop.Option) {
			server := whoptest.NewServer(t)
			server.Script(row.reply)
			return server.URL(), []whop.Option{whop.WithAPIKey(server.APIKey())}
		})
	}
}

func TestRetryConnections(t *testing.T) {
	// The first connection goes wrong, the second serves.
	for _, row := range []retryRow{
		{name: "closed_without_an_answer", outcome: whop.Unknown, retriedByDefault: true, serve: readRequest},
		{name: "reset_without_an_answer", outcome: whop.Unknown, retriedByDefault: true, serve: func(c net.Conn) { readRequest(c); reset(c) }},
		{name: "closed_mid_request", outcome: whop.Unknown, retriedByDefault: true, serve: func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }},
		{name: "headers_cut", outcome: whop.Unknown, retriedByDefault: true, serve: say("HTTP/1.1 200 OK\r\nContent-Le")},
		{name: "switching_protocols", outcome: whop.Unknown, retriedByDefault: true, serve: func(c net.Conn) {
			say("HTTP/1.1 101 Switching Protocols\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\n")(c)
			_, _ = io.Copy(io.Discard, c) // and stays open
		}},
		{name: "body_cut", outcome: whop.Unknown, matches: whop.ErrMalformedResponse, serve: say("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"succ")},
		{name: "chunks_cut", outcome: whop.Unknown, matches: whop.ErrMalformedResponse, serve: say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"success\":true}\r\n")},
		{name: "400_cut", outcome: whop.Rejected, matches: whop.ErrBadRequest, serve: say("HTTP/1.1 400 Bad Request\r\nContent-Length: 90\r\n\r\n{\"error")},
		{name: "503_cut", outcome: whop.Unknown, retriedByDefault: true, matches: whop.ErrServer, serve: say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 90\r\n\r\nno")},
		// What is cut may have said "in progress".
		{name: "409_cut", outcome: whop.Unknown, retriedByDefault: true, retriedAtMostOnce: true, matches: whop.ErrConflict, serve: say("HTTP/1.1 409 Conflict\r\nContent-Length: 90\r\n\r\n{\"error")},
	} {
		row.verify(t, time.Microsecond, func(t *testing.T) (string, []whop.Option) {
			return rawServer(t, row.serve, say(sayQueued)), noKeepAlive(t)
		})
	}
}

func TestRetryTimeouts(t *testing.T) {
	t.Parallel()
	for _, row := range []retryRow{
		{name: "no_answer", outcome: whop.Unknown, retriedByDefault: true, reply: whoptest.Stall()},
		{name: "no_answer_queued", outcome: whop.Unknown, retriedByDefault: true, reply: whoptest.Stall().AfterQueueing()},
	} {
		row.verify(t, time.Second, func(t *testing.T) (string, []whop.Option) {
			server := whoptest.NewServer(t)
			server.Script(row.reply)
			// By the retry the server must have noticed that the client is gone.
			return server.URL(), []whop.Option{whop.WithAPIKey(server.APIKey()), whop.WithAttemptTimeout(1500 * time.Millisecond)}
		})
	}
}

// noKeepAlive returns a transport that opens a connection for every attempt.
func noKeepAlive(t *testing.T) []whop.Option {
	transport := &http.Transport{DisableKeepAlives: true}
	t.Cleanup(transport.CloseIdleConnections)
	return []whop.Option{whop.WithHTTPClient(&http.Client{Transport: transport})}
}
