package wrapper_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Some http.RoundTrippers change the request's URL in place; the next one is as before.
func TestURLPerAttempt(t *testing.T) {
	var hosts []string
	client := newClient(t, "https://whop.test", inMemory(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		r.URL.Host = "elsewhere.test"
		return response(503, ""), nil
	}))
	sendError(t, client, paid)
	assert.Equal(t, []string{"whop.test", "whop.test", "whop.test"}, hosts)
}

func TestAttemptTimeoutError(t *testing.T) {
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

// The attempt's time-out covers the answer's body.
func TestAttemptTimeoutBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", defaults, inMemory(func(r *http.Request) (*http.Response, error) {
			resp := response(200, "")
			resp.Body = io.NopCloser(stuck{r.Context()})
			return resp, nil
		}))
		start := time.Now()
		failure := sendError(t, client, paid)
		assert.Equal(t, 30*time.Second, time.Since(start))
		assert.Equal(t, whop.Unknown, failure.Outcome)
		assert.ErrorIs(t, failure, whop.ErrMalformedResponse)
		assert.Equal(t, 1, failure.Attempts)
	})
}

type stuck struct{ ctx context.Context }

func (s stuck) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// A resend within an attempt waits for the hold that began meanwhile.
func TestResendDuringAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, asked, requests := time.Now(), 0, 0
		var client *whop.Client
		client = newClient(t, "https://whop.test", inMemory(func(r *http.Request) (*http.Response, error) {
			switch requests++; requests {
			case 1: // it gets a connection, and writes nothing into that
				trace := httptrace.ContextClientTrace(r.Context())
				trace.GetConn("whop.test:443")
				trace.GotConn(httptrace.GotConnInfo{})
				return nil, io.EOF
			case 2:
				return response(429, "", "Retry-After", "30"), nil
			}
			assert.GreaterOrEqual(t, time.Since(start), 30*time.Second)
			return response(200, queuedBody), nil
		}), whop.WithLimiter(limiterFunc(func(context.Context) error {
			if asked++; asked == 2 {
				soon, cancel := context.WithTimeout(t.Context(), time.Second) // it does not wait out the hold
				defer cancel()
				_, _ = client.Send(soon, paid)
			}
			return nil
		})), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 2, BaseDelay: time.Microsecond}))
		receipt, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		assert.Equal(t, 2, receipt.Attempts)
	})
}
