package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// What HTTP/2 says about a stream that did not get its answer. Only REFUSED_STREAM, and
// a GOAWAY that names an earlier stream as the last, prove that nothing was processed
// (RFC 9113, 8.7). net/http sends some others again by itself, PROTOCOL_ERROR among
// them; here each delivery is an attempt that is paced, counted and decided on.
func TestHTTP2NoAnswer(t *testing.T) {
	const unprocessed, doubtful = true, false
	goAway := func(last func(stream uint32) uint32, code http2Code) func(*http2Conn) {
		return func(c *http2Conn) {
			if stream := c.request(); stream != 0 {
				c.goAway(last(stream), code)
			}
			c.linger()
		}
	}
	before := func(uint32) uint32 { return 0 }
	for _, test := range []struct {
		name  string
		proof bool
		first func(*http2Conn) // what the first connection does; the next ones serve
	}{
		{name: "REFUSED_STREAM", proof: unprocessed, first: resetFirst(codeRefusedStream)},
		{name: "GOAWAY_before_the_stream", proof: unprocessed, first: goAway(before, codeNoError)},
		{name: "PROTOCOL_ERROR", proof: doubtful, first: resetFirst(codeProtocolError)},
		{name: "CANCEL", proof: doubtful, first: resetFirst(codeCancel)},
		{name: "INTERNAL_ERROR", proof: doubtful, first: resetFirst(codeInternalError)},
		{name: "NO_ERROR", proof: doubtful, first: resetFirst(codeNoError)},
		{name: "ENHANCE_YOUR_CALM", proof: doubtful, first: resetFirst(codeEnhanceYourCalm)},
		{name: "connection_closed", proof: doubtful, first: func(c *http2Conn) { c.request() }},
		{name: "GOAWAY_at_the_stream", proof: doubtful, first: func(c *http2Conn) {
			if stream := c.request(); stream != 0 {
				c.goAway(stream, codeNoError)
			}
		}},
		{name: "GOAWAY_error_at_the_stream", proof: doubtful, first: func(c *http2Conn) {
			if stream := c.request(); stream != 0 {
				c.goAway(stream, codeInternalError)
			}
		}},
		{name: "GOAWAY_of_no_stream", proof: doubtful, first: func(c *http2Conn) {
			c.request()
			c.goAway(1<<31-1, codeNoError)
		}},
	} {
		for _, atMostOnce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/AtMostOnce_%v", test.name, atMostOnce), func(t *testing.T) {
				server := newHTTP2Server(t, test.first, serveAll)
				p := quick
				p.AtMostOnce = atMostOnce
				client := newClient(t, server.baseURL, whop.WithRetryPolicy(p),
					whop.WithHTTPClient(&http.Client{Transport: server.transport}))
				if atMostOnce && test.proof == doubtful {
					failure := sendError(t, client, paid)
					assert.Equal(t, whop.Unknown, failure.Outcome, "%v", failure)
					assert.Equal(t, 1, failure.Attempts)
					assert.EqualValues(t, 1, server.arrived.Load(), "deliveries")
					return
				}
				receipt, err := client.Send(t.Context(), paid)
				require.NoError(t, err)
				attempts := 2
				if test.proof == unprocessed {
					attempts = 1 // it goes out again at once, within the attempt
				}
				assert.Equal(t, attempts, receipt.Attempts)
				assert.EqualValues(t, 2, server.arrived.Load(), "deliveries")
			})
		}
	}
}

// Each delivery asks the limiter, also those within an attempt.
func TestHTTP2ResendAsksTheLimiter(t *testing.T) {
	server := newHTTP2Server(t, resetFirst(codeRefusedStream), serveAll)
	asked := 0
	client := newClient(t, server.baseURL, whop.WithHTTPClient(&http.Client{Transport: server.transport}),
		whop.WithLimiter(limiterFunc(func(context.Context) error { asked++; return nil })))
	receipt, err := client.Send(t.Context(), paid)
	require.NoError(t, err)
	assert.Equal(t, 1, receipt.Attempts)
	assert.Equal(t, 2, asked)
}

// Where no attempt gets through, the outcome is NotSent for refusals and Unknown
// otherwise, also where the last attempt of all was refused.
func TestHTTP2Outcomes(t *testing.T) {
	refuse := resetAll(codeRefusedStream)
	for _, test := range []struct {
		name       string
		outcome    whop.Outcome
		deliveries int // refused ones go out up to three times more in an attempt
		serve      func(*http2Conn)
	}{
		{name: "all_refused", outcome: whop.NotSent, deliveries: 12, serve: refuse},
		{name: "protocol_error_then_refused", outcome: whop.Unknown, deliveries: 3, serve: func(c *http2Conn) {
			if stream := c.request(); stream != 0 {
				c.reset(stream, codeProtocolError)
			}
			refuse(c)
		}},
		{name: "all_protocol_errors", outcome: whop.Unknown, deliveries: 3, serve: resetAll(codeProtocolError)},
		{name: "all_closed", outcome: whop.Unknown, deliveries: 3, serve: func(c *http2Conn) { c.request() }},
		{name: "all_GOAWAY_before_the_stream", outcome: whop.NotSent, deliveries: 12, serve: func(c *http2Conn) {
			c.request()
			c.goAway(0, codeNoError)
			c.linger()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newHTTP2Server(t, test.serve)
			client := newClient(t, server.baseURL, whop.WithHTTPClient(&http.Client{Transport: server.transport}))
			failure := sendError(t, client, paid)
			assert.Equal(t, test.outcome, failure.Outcome, "%v", failure)
			assert.Equal(t, 3, failure.Attempts, "%v", failure)
			assert.EqualValues(t, test.deliveries, server.arrived.Load(), "deliveries")
			assert.True(t, failure.Retryable())
		})
	}
}

// Whatever the connection shows, a request whose body broke off is not proven to be
// unprocessed on HTTP/2, but for a refusal.
func TestHTTP2BodyError(t *testing.T) {
	large := whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: strings.Repeat("paid ", 100_000)})
	for _, test := range []struct {
		name    string
		outcome whop.Outcome
		serve   func(*http2Conn)
	}{
		{name: "closed", outcome: whop.Unknown, serve: func(c *http2Conn) { c.headers() }},
		{name: "refused", outcome: whop.NotSent, serve: func(c *http2Conn) {
			for {
				stream, _ := c.headers()
				if stream == 0 {
					return
				}
				c.reset(stream, codeRefusedStream)
			}
		}},
		{name: "reset", outcome: whop.Unknown, serve: func(c *http2Conn) {
			for {
				stream, _ := c.headers()
				if stream == 0 {
					return
				}
				c.reset(stream, codeInternalError)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newHTTP2Server(t, test.serve)
			client := newClient(t, server.baseURL, whop.WithHTTPClient(&http.Client{Transport: server.transport}))
			failure := sendError(t, client, large)
			assert.Equal(t, test.outcome, failure.Outcome, "%v", failure)
			assert.Equal(t, 3, failure.Attempts)
			assert.Zero(t, server.arrived.Load())
		})
	}
}

// A server that goes away gracefully finishes what it has begun, and the next request
// takes another connection.
func TestHTTP2GracefulGoAway(t *testing.T) {
	server := newHTTP2Server(t, func(c *http2Conn) {
		stream := c.request()
		c.goAway(stream, codeNoError)
		c.answer(stream)
	})
	client := newClient(t, server.baseURL, whop.WithHTTPClient(&http.Client{Transport: server.transport}),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	for range 5 {
		_, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 5, server.arrived.Load())
	assert.GreaterOrEqual(t, server.conns.Load(), int32(5))
}

// The generated client takes the same care.
func TestHTTP2ThroughAPI(t *testing.T) {
	server := newHTTP2Server(t, resetFirst(codeProtocolError))
	p := quick
	p.AtMostOnce = true
	client := newClient(t, server.baseURL, whop.WithRetryPolicy(p),
		whop.WithHTTPClient(&http.Client{Transport: server.transport}))
	_, err := client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader(toCompanyBody))
	require.Error(t, err)
	assert.EqualValues(t, 1, server.arrived.Load())
}

const toCompanyBody = `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`

func TestHTTP2ContextEnds(t *testing.T) {
	t.Parallel()
	t.Run("after_the_request_arrived", func(t *testing.T) {
		arrived := make(chan struct{})
		server := newHTTP2Server(t, func(c *http2Conn) {
			c.request()
			close(arrived)
			c.linger()
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-arrived
			cancel()
		}()
		_, err := newClient(t, server.baseURL, whop.WithHTTPClient(&http.Client{Transport: server.transport})).Send(ctx, paid)
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		assert.Equal(t, whop.Unknown, failure.Outcome)
		assert.ErrorIs(t, err, context.Canceled)
	})

	// A cancelled call returns before its stream is written to the end. What it says
	// was not sent must not arrive afterwards either.
	t.Run("at_any_time", func(t *testing.T) {
		var mu sync.Mutex
		arrived := map[string]bool{} // whole, by key
		server, transport := secureServer(t, true, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				mu.Lock()
				arrived[r.Header.Get("Idempotency-Key")] = true
				mu.Unlock()
			}
			_, _ = io.WriteString(w, queuedBody)
		})
		client := newClient(t, "https://"+server, whop.WithHTTPClient(&http.Client{Transport: transport}))
		outcomes := map[string]whop.Outcome{}
		for i := range 300 {
			key := strconv.Itoa(i)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*2*time.Microsecond)
			_, err := client.Send(ctx, paid.WithIdempotencyKey(key))
			cancel()
			if failure, ok := errors.AsType[*whop.SendError](err); ok {
				outcomes[key] = failure.Outcome
			}
			_, err = client.Send(t.Context(), paid)
			require.NoError(t, err)
		}
		transport.CloseIdleConnections()
		mu.Lock()
		defer mu.Unlock()
		notSent := 0
		for key, outcome := range outcomes {
			if outcome == whop.NotSent {
				notSent++
				assert.False(t, arrived[key], "%s", key)
			}
		}
		assert.NotZero(t, notSent)
	})

	// A request without a body can arrive after its call has been cancelled.
	t.Run("before_its_headers_are_written", func(t *testing.T) {
		arrived := make(chan struct{})
		server, transport := secureServer(t, true, func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodDelete {
				close(arrived)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var cancels atomic.Bool
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return slowConn{conn, func() {
				if cancels.Load() {
					cancel()
					time.Sleep(50 * time.Millisecond)
				}
			}}, err
		}
		client := newClient(t, "https://"+server, whop.WithHTTPClient(&http.Client{Transport: transport}))
		do := func(ctx context.Context, method string) error {
			request, err := http.NewRequestWithContext(ctx, method, client.BaseURL()+"other", http.NoBody)
			require.NoError(t, err)
			return ignoringResponse(client.Do(request))
		}
		require.NoError(t, do(t.Context(), http.MethodPost))
		cancels.Store(true)
		failure, ok := errors.AsType[*whop.SendError](do(ctx, http.MethodDelete))
		require.True(t, ok)
		assert.Equal(t, whop.Unknown, failure.Outcome, "%v", failure)
		<-arrived
	})
}

// slowConn is a connection that does something before each write.
type slowConn struct {
	net.Conn
	before func()
}

func (c slowConn) Write(p []byte) (int, error) {
	c.before()
	return c.Conn.Write(p)
}
