package wrapper_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// network passes connections on to a server, until it forgets those that there are: then
// it passes nothing of them any more, and says nothing. New ones work.
type network struct {
	address string
	opened  atomic.Int32
	mu      sync.Mutex
	forget  chan struct{} // closed when the connections of this generation are forgotten
}

func newNetwork(t *testing.T, server string) *network {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &network{address: listener.Addr().String(), forget: make(chan struct{})}
	serveConns(t, listener, func(_ int, conn net.Conn) {
		n.opened.Add(1)
		onward, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer onward.Close()
		n.mu.Lock()
		forgotten := n.forget
		n.mu.Unlock()
		var passing sync.WaitGroup
		for _, way := range [][2]net.Conn{{conn, onward}, {onward, conn}} {
			passing.Go(func() {
				defer onward.Close()
				defer conn.Close()
				buffer := make([]byte, 32<<10)
				for {
					read, err := way[0].Read(buffer)
					select {
					case <-forgotten:
						_, _ = io.Copy(io.Discard, way[0]) // until somebody gives it up
						return
					default:
					}
					if err == nil {
						_, err = way[1].Write(buffer[:read])
					}
					if err != nil {
						return
					}
				}
			})
		}
		passing.Wait()
	})
	return n
}

func (n *network) forgetConnections() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.forget)
	n.forget = make(chan struct{})
}

// secureServer queues everything, over HTTP/2 or HTTP/1.1; transport is the default one,
// which trusts it.
func secureServer(t *testing.T, http2 bool, handler http.HandlerFunc) (address string, transport *http.Transport) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	transport = whop.NewTransport()
	transport.TLSClientConfig = http2Transport(t, server.TLS.Certificates[0]).TLSClientConfig
	transport.TLSClientConfig.RootCAs.AddCert(server.TLS.Certificates[0].Leaf)
	t.Cleanup(transport.CloseIdleConnections)
	return server.Listener.Addr().String(), transport
}

func queueing(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, queuedBody)
}

// After a network has forgotten an HTTP/2 connection, no send of the defaults fails, and
// the first success comes within 20 s.
func TestForgottenHTTP2Connection(t *testing.T) {
	t.Parallel()
	for _, workers := range []int{1, 16, 150} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			server, transport := secureServer(t, true, queueing)
			network := newNetwork(t, server)
			client := newClient(t, "https://"+network.address, whop.WithRetryPolicy(whop.RetryPolicy{}),
				whop.WithHTTPClient(&http.Client{Transport: transport}))
			_, err := client.Send(t.Context(), paid)
			require.NoError(t, err)
			network.forgetConnections()

			start := time.Now()
			var first atomic.Int64
			var sending sync.WaitGroup
			for range workers {
				sending.Go(func() {
					_, err := client.Send(t.Context(), paid)
					assert.NoError(t, err)
					first.CompareAndSwap(0, int64(time.Since(start)))
				})
			}
			sending.Wait()
			assert.Less(t, time.Duration(first.Load()), 20*time.Second)
			assert.Greater(t, network.opened.Load(), int32(1), "connections")
		})
	}
}

// On HTTP/1.1 the time-out of one attempt is all that dead idle connections cost, however many
// there are.
func TestForgottenHTTP1Connections(t *testing.T) {
	t.Parallel()
	for _, senders := range []int{1, 60} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			testForgottenHTTP1Connections(t, senders)
		})
	}
}

func testForgottenHTTP1Connections(t *testing.T, senders int) {
	const idle = 60
	all := make(chan struct{})
	var waiting atomic.Int32
	server, transport := secureServer(t, false, func(w http.ResponseWriter, r *http.Request) {
		if waiting.Add(1) == idle {
			close(all)
		}
		<-all // so that each has a connection of its own
		queueing(w, r)
	})
	network := newNetwork(t, server)
	const timeout = 5 * time.Second
	overIt := whop.WithHTTPClient(&http.Client{Transport: transport})
	first := newClient(t, "https://"+network.address, overIt)
	client := newClient(t, "https://"+network.address, whop.WithRetryPolicy(whop.RetryPolicy{}), whop.WithAttemptTimeout(timeout), overIt)
	var sending sync.WaitGroup
	for range idle {
		sending.Go(func() {
			_, err := first.Send(t.Context(), paid)
			assert.NoError(t, err)
		})
	}
	sending.Wait()
	network.forgetConnections()

	start := time.Now()
	for range senders {
		sending.Go(func() {
			receipt, err := client.Send(t.Context(), paid)
			if assert.NoError(t, err) {
				assert.Equal(t, 2, receipt.Attempts)
			}
		})
	}
	sending.Wait()
	assert.Less(t, time.Since(start), 2*timeout)
}

// Attempts to a peer that has stopped reading leave no goroutine behind.
func TestPeerThatStopsReadingHoldsNoGoroutine(t *testing.T) {
	t.Parallel()
	stuck := make(chan struct{})
	server, transport := secureServer(t, true, func(http.ResponseWriter, *http.Request) { <-stuck })
	t.Cleanup(func() { close(stuck) })
	network := newNetwork(t, server)
	client := newClient(t, "https://"+network.address, whop.WithAttemptTimeout(50*time.Millisecond),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}), whop.WithHTTPClient(&http.Client{Transport: transport}))
	large := whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: strings.Repeat("paid ", 200_000)})
	for range 30 {
		_, err := client.Send(t.Context(), large)
		require.Error(t, err)
	}
	network.forgetConnections()
	require.Eventually(t, func() bool { return !strings.Contains(stacks(), "http2clientStream).writeRequest") },
		30*time.Second, 100*time.Millisecond, "goroutines that write")
}

func stacks() string {
	buffer := make([]byte, 16<<20)
	return string(buffer[:runtime.Stack(buffer, true)])
}

// A server or proxy that closes its connections by GOAWAY, as nginx does after a number of
// requests, costs nobody an attempt, and nobody is notified twice.
func TestGracefulGoAwayCostsNoAttempt(t *testing.T) {
	t.Parallel()
	const sends, perConnection = 1000, 20
	var requests atomic.Int32
	server, transport := secureServer(t, true, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%perConnection == 0 {
			w.Header().Set("Connection", "close")
		}
		queueing(w, r)
	})
	for _, atMostOnce := range []bool{false, true} {
		requests.Store(0)
		var asked atomic.Int32
		client := newClient(t, "https://"+server, whop.WithHTTPClient(&http.Client{Transport: transport}),
			whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1, AtMostOnce: atMostOnce}),
			whop.WithLimiter(limiterFunc(func(context.Context) error { asked.Add(1); return nil })))
		for r := range client.SendAll(t.Context(), repeat(paid, sends), 16) {
			require.NoError(t, r.Err)
		}
		assert.EqualValues(t, sends, requests.Load())
		assert.GreaterOrEqual(t, asked.Load(), int32(sends), "each asks the limiter")
	}
}
