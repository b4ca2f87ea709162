package wrapper_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// h2Peer is an HTTP/2 server down to its frames. It counts the requests that arrived
// whole and does with each what its number, from 1, calls for.
type h2Peer struct {
	requests atomic.Int32
	do       func(c *h2Conn, stream uint32, request int)
}

type h2Conn struct {
	*http2.Framer
	net.Conn
}

// queue answers that the notification is queued.
func (c *h2Conn) queue(stream uint32) {
	var block headerBlock
	encoder := hpack.NewEncoder(&block)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = encoder.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/json"})
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true})
	_ = c.WriteData(stream, true, []byte(queuedBody))
}

type headerBlock []byte

func (b *headerBlock) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// client serves the peer over TLS and gives a client for it.
func (p *h2Peer) client(t *testing.T, policy whop.RetryPolicy, opts ...whop.Option) *whop.Client {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(certified.Close)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"}})
	require.NoError(t, err)
	serveConns(t, listener, func(_ int, conn net.Conn) { p.serve(conn) })
	transport := certified.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	t.Cleanup(transport.CloseIdleConnections)
	policy.BaseDelay, policy.MaxDelay = time.Microsecond, time.Microsecond
	return newClient(t, "https://"+listener.Addr().String()+"/api/v1", append([]whop.Option{
		whop.WithHTTPClient(&http.Client{Transport: transport}), whop.WithRetryPolicy(policy),
	}, opts...)...)
}

func (p *h2Peer) serve(conn net.Conn) {
	if _, err := readFull(conn, len(http2.ClientPreface)); err != nil {
		return
	}
	c := &h2Conn{http2.NewFramer(conn, conn), conn}
	_ = c.WriteSettings()
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = c.WriteSettingsAck()
			}
		case *http2.DataFrame:
			if f.StreamEnded() {
				p.do(c, f.StreamID, int(p.requests.Add(1)))
			}
		}
	}
}

func readFull(conn net.Conn, n int) ([]byte, error) {
	buf := make([]byte, n)
	for read := 0; read < n; {
		m, err := conn.Read(buf[read:])
		if err != nil {
			return nil, err
		}
		read += m
	}
	return buf, nil
}

// net/http itself sends a stream again that the server says it did not process, on the
// same or another connection: for the client that is one attempt, AtMostOnce or not.
func TestHTTP2StreamsThatWereNotProcessed(t *testing.T) {
	for name, refuse := range map[string]func(c *h2Conn, stream uint32){
		"refused":               func(c *h2Conn, stream uint32) { _ = c.WriteRSTStream(stream, http2.ErrCodeRefusedStream) },
		"beyond GOAWAY's last":  func(c *h2Conn, _ uint32) { _ = c.WriteGoAway(0, http2.ErrCodeNo, nil) },
		"GOAWAY and then a FIN": func(c *h2Conn, _ uint32) { _ = c.WriteGoAway(0, http2.ErrCodeNo, nil); c.Close() },
	} {
		for _, atMostOnce := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				peer := &h2Peer{do: func(c *h2Conn, stream uint32, request int) {
					if request == 1 {
						refuse(c, stream)
						return
					}
					c.queue(stream)
				}}
				receipt, err := peer.client(t, whop.RetryPolicy{AtMostOnce: atMostOnce}).Send(t.Context(), paid)
				require.NoError(t, err)
				assert.Equal(t, 1, receipt.Attempts)
				assert.EqualValues(t, 2, peer.requests.Load())
			})
		}
	}
}

// What may have been processed is sent again under the same key, or not at all.
func TestHTTP2StreamsThatMayHaveBeenProcessed(t *testing.T) {
	for name, fail := range map[string]func(c *h2Conn, stream uint32){
		"reset after the body": func(c *h2Conn, stream uint32) { _ = c.WriteRSTStream(stream, http2.ErrCodeInternal) },
		"cancelled":            func(c *h2Conn, stream uint32) { _ = c.WriteRSTStream(stream, http2.ErrCodeCancel) },
		"connection closed":    func(c *h2Conn, _ uint32) { c.Close() },
		"within GOAWAY's last": func(c *h2Conn, stream uint32) { _ = c.WriteGoAway(stream, http2.ErrCodeNo, nil); c.Close() },
		"connection error":     func(c *h2Conn, stream uint32) { _ = c.WriteGoAway(stream, http2.ErrCodeInternal, nil); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			do := func(c *h2Conn, stream uint32, request int) {
				if request == 1 {
					fail(c, stream)
					return
				}
				c.queue(stream)
			}
			peer := &h2Peer{do: do}
			receipt, err := peer.client(t, whop.RetryPolicy{}).Send(t.Context(), paid)
			require.NoError(t, err)
			assert.Equal(t, 2, receipt.Attempts)

			peer = &h2Peer{do: do}
			failure := sendError(t, peer.client(t, whop.RetryPolicy{AtMostOnce: true}), paid)
			assert.Equal(t, whop.Unknown, failure.Outcome, "%v", failure)
			assert.Equal(t, 1, failure.Attempts)
			assert.EqualValues(t, 1, peer.requests.Load())
		})
	}
}

func TestHTTP2WithoutAnAnswer(t *testing.T) {
	silent := func(*h2Conn, uint32, int) {}

	peer := &h2Peer{do: silent}
	failure := sendError(t, peer.client(t, whop.RetryPolicy{AtMostOnce: true}, whop.WithAttemptTimeout(100*time.Millisecond)), paid)
	assert.Equal(t, whop.Unknown, failure.Outcome, "%v", failure)
	assert.Equal(t, 1, failure.Attempts)

	// A cancelled call returns before the stream has been written to its end.
	arrived := make(chan struct{})
	peer = &h2Peer{do: func(*h2Conn, uint32, int) { close(arrived) }}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := peer.client(t, whop.RetryPolicy{}).Send(ctx, paid)
	failure, ok := errors.AsType[*whop.SendError](err)
	require.True(t, ok)
	assert.Equal(t, whop.Unknown, failure.Outcome)
	assert.ErrorIs(t, err, context.Canceled)
}

// A stream that is refused again and again outlasts the attempt, since net/http waits
// longer between its own tries each time. The last refusal is then not to be seen, so
// the outcome is unknown although nothing was processed.
func TestHTTP2StreamRefusedForever(t *testing.T) {
	peer := &h2Peer{do: func(c *h2Conn, stream uint32, _ int) { _ = c.WriteRSTStream(stream, http2.ErrCodeRefusedStream) }}
	failure := sendError(t, peer.client(t, whop.RetryPolicy{AtMostOnce: true}, whop.WithAttemptTimeout(200*time.Millisecond)), paid)
	assert.Equal(t, whop.Unknown, failure.Outcome, "%v", failure)
	assert.Equal(t, 1, failure.Attempts)
}

// Once a connection is up, what happens before the headers are written is "not sent".
func TestHTTP2ContextThatEndsBeforeTheHeaders(t *testing.T) {
	peer := &h2Peer{do: func(c *h2Conn, stream uint32, _ int) { c.queue(stream) }}
	client := peer.client(t, whop.RetryPolicy{})
	_, err := client.Send(t.Context(), paid)
	require.NoError(t, err)
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Microsecond)
		before := peer.requests.Load()
		_, err := client.Send(ctx, paid)
		cancel()
		if failure, ok := errors.AsType[*whop.SendError](err); ok && failure.Outcome == whop.NotSent {
			_, err := client.Send(t.Context(), paid) // what was on its way has arrived before this
			require.NoError(t, err)
			require.Equal(t, before+1, peer.requests.Load(), "%v", failure)
		} else {
			_, err := client.Send(t.Context(), paid)
			require.NoError(t, err)
		}
	}
}
