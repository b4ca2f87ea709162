package wrapper_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// A send whose every attempt provably did not arrive is NotSent, and AtMostOnce may
// repeat it as freely as the default.
func TestNotSent(t *testing.T) {
	refused := "http://" + closedAddress(t) + "/api/v1"
	https := httptest.NewTLSServer(http.NotFoundHandler())
	https.Config.ErrorLog = quiet
	t.Cleanup(https.Close)
	resolving := func(rcode byte) *http.Transport {
		resolver := nameServer(t, rcode)
		dialer := &net.Dialer{Resolver: resolver}
		return &http.Transport{DialContext: dialer.DialContext}
	}
	proxied := func(proxy string) *http.Transport {
		u, err := url.Parse(proxy)
		require.NoError(t, err)
		return &http.Transport{Proxy: http.ProxyURL(u)}
	}
	refusingProxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(refusingProxy.Close)
	trusting := https.Client().Transport.(*http.Transport).TLSClientConfig

	for _, test := range []struct {
		name      string
		baseURL   string
		transport *http.Transport
		retried   bool
	}{
		{name: "connection_refused", baseURL: refused, transport: &http.Transport{}, retried: true},
		{name: "temporary_DNS_failure", baseURL: "https://whop.test", transport: resolving(serverFailure), retried: true},
		{name: "no_such_host", baseURL: "https://whop.test", transport: resolving(noSuchName)},
		{name: "TLS_handshake_broken_off", baseURL: "https://" + hostOf(rawServer(t, func(net.Conn) {})), transport: &http.Transport{}, retried: true},
		{name: "certificate_not_trusted", baseURL: https.URL, transport: &http.Transport{}},
		{name: "certificate_for_another_host", baseURL: https.URL, transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusting.RootCAs, ServerName: "other.test"}}},
		{name: "https_to_a_plain_server", baseURL: "https://" + hostOf(rawServer(t, say("HTTP/1.1 400 Bad Request\r\n\r\n"))), transport: &http.Transport{}},
		{name: "proxy_unreachable", baseURL: "https://whop.test", transport: proxied(refused), retried: true},
		{name: "proxy_refuses", baseURL: "https://whop.test", transport: proxied(refusingProxy.URL), retried: true},
	} {
		for _, atMostOnce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/AtMostOnce_%v", test.name, atMostOnce), func(t *testing.T) {
				t.Cleanup(test.transport.CloseIdleConnections)
				p := quick
				p.AtMostOnce = atMostOnce
				client := newClient(t, test.baseURL, whop.WithRetryPolicy(p),
					whop.WithHTTPClient(&http.Client{Transport: test.transport}))
				failure := sendError(t, client, paid)
				assert.Equal(t, whop.NotSent, failure.Outcome, "%v", failure)
				assert.True(t, failure.Retryable())
				if test.retried {
					assert.Equal(t, 3, failure.Attempts, "%v", failure)
				} else {
					assert.Equal(t, 1, failure.Attempts, "%v", failure)
				}
			})
		}
	}
}

// A token source that fails ends the send.
func TestFailingTokenSource(t *testing.T) {
	vault := errors.New("vault is sealed")
	for name, source := range map[string]func(context.Context) (string, error){
		"error":             func(context.Context) (string, error) { return "", vault },
		"no token":          func(context.Context) (string, error) { return "", nil },
		"control character": func(context.Context) (string, error) { return "secret-token\r\nX: y", nil },
		"slow":              func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, "https://whop.test", whop.WithTokenSource(source), whop.WithAttemptTimeout(50*time.Millisecond), inMemory(func(*http.Request) (*http.Response, error) {
				t.Error("a request went out")
				return nil, io.EOF
			}))
			failure := sendError(t, client, paid)
			assert.Equal(t, whop.NotSent, failure.Outcome)
			assert.Equal(t, 1, failure.Attempts)
			assert.ErrorContains(t, failure, "token source")
			assert.NotContains(t, failure.Error(), "secret-token")
			switch name {
			case "error":
				assert.ErrorIs(t, failure, vault)
			case "slow":
				assert.ErrorContains(t, failure, "no token within the attempt's 50ms")
			}
		})
	}
}

// A body larger than what the sockets hold breaks in the middle of being written.
func TestBodyBrokenOff(t *testing.T) {
	t.Parallel()
	ids := make([]string, 400_000)
	for i := range ids {
		ids[i] = "user_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	}
	url := rawServer(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 4096))
		reset(c)
	})
	for _, atMostOnce := range []bool{false, true} {
		p := quick
		p.AtMostOnce = atMostOnce
		failure := sendError(t, newClient(t, url, whop.WithRetryPolicy(p)), paid.OnlyUsers(ids...))
		assert.Equal(t, whop.NotSent, failure.Outcome, "%v", failure)
		assert.Equal(t, 3, failure.Attempts)
	}
}

// Kept connections that the server has closed meanwhile lose nothing and repeat nothing.
func TestStaleConnection(t *testing.T) {
	for name, start := range map[string]func(http.Handler) *httptest.Server{
		"plain": httptest.NewServer, "TLS": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			var requests atomic.Int32
			server := start(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				_, _ = io.WriteString(w, queuedBody)
			}))
			t.Cleanup(server.Close)
			client := newClient(t, server.URL, whop.WithHTTPClient(server.Client()))
			for range 20 {
				_, err := client.Send(t.Context(), paid)
				require.NoError(t, err)
				server.CloseClientConnections()
			}
			assert.EqualValues(t, 20, requests.Load())
		})
	}
}

// net/http must not send a second time by itself after the request was written.
func TestOneDeliveryPerAttempt(t *testing.T) {
	var requests atomic.Int32
	url := rawServer(t, func(c net.Conn) {
		for first := true; ; first = false {
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := c.Read(make([]byte, 8192)); err != nil {
				return
			}
			requests.Add(1)
			if !first {
				return // the request on the reused connection gets no answer
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"+queuedBody)
		}
	})
	client := newClient(t, url, whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	_, err := client.Send(t.Context(), paid)
	require.NoError(t, err)
	failure := sendError(t, client, paid)
	assert.Equal(t, whop.Unknown, failure.Outcome)
	assert.EqualValues(t, 2, requests.Load())

	requests.Store(0)
	_, err = client.Send(t.Context(), paid)
	require.NoError(t, err)
	_, err = client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader("{}"))
	require.Error(t, err)
	assert.EqualValues(t, 2, requests.Load(), "through API()")
}

// What an http.RoundTripper of somebody else's shows counts as far as it goes.
func TestEvidenceOfOtherTransports(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	write := &net.OpError{Op: "write", Net: "tcp", Err: errors.New("broken pipe")}
	trace := func(r *http.Request) *httptrace.ClientTrace { return httptrace.ContextClientTrace(r.Context()) }
	connect := func(r *http.Request) {
		trace(r).GetConn("whop.test:443")
		trace(r).GotConn(httptrace.GotConnInfo{})
	}
	field := func(r *http.Request, name string) {
		if hook := trace(r).WroteHeaderField; hook != nil {
			hook(name, []string{"x"})
		}
	}
	for _, test := range []struct {
		name    string
		outcome whop.Outcome
		fail    func(*http.Request) error
	}{
		{name: "no_hook_any_error", outcome: whop.Unknown, fail: func(*http.Request) error { return errors.New("boom") }},
		{name: "no_hook_dial_error", outcome: whop.NotSent, fail: func(*http.Request) error { return dial }},
		{name: "no_hook_DNS_error", outcome: whop.NotSent, fail: func(*http.Request) error { return &net.DNSError{IsTemporary: true} }},
		{name: "no_hook_certificate", outcome: whop.NotSent, fail: func(*http.Request) error { return x509.UnknownAuthorityError{} }},
		{name: "no_hook_write_error", outcome: whop.Unknown, fail: func(*http.Request) error { return write }},
		{name: "asked_for_a_connection", outcome: whop.NotSent, fail: func(r *http.Request) error {
			trace(r).GetConn("whop.test:443")
			return errors.New("boom")
		}},
		{name: "got_a_connection", outcome: whop.NotSent, fail: func(r *http.Request) error { connect(r); return errors.New("boom") }},
		{name: "wrote_headers", outcome: whop.Unknown, fail: func(r *http.Request) error {
			connect(r)
			trace(r).WroteHeaders()
			return errors.New("boom")
		}},
		{name: "wrote_headers_then_dial_error", outcome: whop.Unknown, fail: func(r *http.Request) error {
			connect(r)
			trace(r).WroteHeaders()
			return dial
		}},
		{name: "wrote_the_request", outcome: whop.Unknown, fail: func(r *http.Request) error {
			connect(r)
			trace(r).WroteHeaders()
			trace(r).WroteRequest(httptrace.WroteRequestInfo{})
			return io.EOF
		}},
		{name: "HTTP/1_write_failed", outcome: whop.NotSent, fail: func(r *http.Request) error {
			connect(r)
			field(r, "Host")
			trace(r).WroteHeaders()
			trace(r).WroteRequest(httptrace.WroteRequestInfo{Err: io.ErrClosedPipe})
			return io.EOF
		}},
		{name: "HTTP/1_flush_failed", outcome: whop.NotSent, fail: func(r *http.Request) error {
			connect(r)
			field(r, "Host")
			trace(r).WroteHeaders()
			trace(r).WroteRequest(httptrace.WroteRequestInfo{})
			return fmt.Errorf("broken: %w", write)
		}},
		{name: "HTTP/2_write_failed", outcome: whop.Unknown, fail: func(r *http.Request) error {
			connect(r)
			field(r, ":authority")
			trace(r).WroteHeaders()
			trace(r).WroteRequest(httptrace.WroteRequestInfo{Err: write})
			return write
		}},
		{name: "sent_again_without_a_connection", outcome: whop.Unknown, fail: func(r *http.Request) error {
			connect(r)
			trace(r).WroteHeaders()
			trace(r).GetConn("whop.test:443")
			return dial
		}},
		{name: "stream_refused", outcome: whop.NotSent, fail: func(r *http.Request) error {
			connect(r)
			field(r, ":authority")
			trace(r).WroteHeaders()
			return streamError{StreamID: 3, Code: 7}
		}},
		{name: "stream_cancelled", outcome: whop.Unknown, fail: func(r *http.Request) error {
			connect(r)
			field(r, ":authority")
			trace(r).WroteHeaders()
			return streamError{StreamID: 3, Code: 8}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := quick
			p.AtMostOnce = true
			client := newClient(t, "https://whop.test", whop.WithRetryPolicy(p),
				inMemory(func(r *http.Request) (*http.Response, error) { return nil, test.fail(r) }))
			failure := sendError(t, client, paid)
			assert.Equal(t, test.outcome, failure.Outcome)
			if _, cert := errors.AsType[x509.UnknownAuthorityError](error(failure)); test.outcome == whop.NotSent && !cert {
				assert.Equal(t, 3, failure.Attempts)
			} else {
				assert.Equal(t, 1, failure.Attempts)
			}
		})
	}
}

// streamError has the shape of the error of a reset HTTP/2 stream.
type streamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (streamError) Error() string { return "stream error" }

// closedAddress is one where nobody listens.
func closedAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func hostOf(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		panic(err)
	}
	return u.Host
}

const (
	serverFailure = 2 // RCODEs of RFC 1035
	noSuchName    = 3
)

// nameServer is a DNS server that answers every question with one error.
func nameServer(t testing.TB, rcode byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			buf[2] |= 0x80                      // a response
			buf[3] = buf[3]&0xf0 | 0x80 | rcode // recursion available
			_, _ = conn.WriteTo(buf[:n], from)
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}
