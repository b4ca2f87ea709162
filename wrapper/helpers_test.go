package wrapper_test

import (
	"bufio"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

var (
	paid = whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})

	// quick retries without noticeable waits.
	quick = whop.RetryPolicy{BaseDelay: time.Microsecond, MaxDelay: time.Microsecond}
)

// quiet is for servers whose complaints are what the test is about.
var quiet = log.New(io.Discard, "", 0)

const testKey = "apik_test_0123456789"

// newClient makes a client that is not paced and does not wait, changed by opts.
func newClient(t testing.TB, baseURL string, opts ...whop.Option) *whop.Client {
	t.Helper()
	client, err := whop.NewClient(append([]whop.Option{
		whop.WithAPIKey(testKey),
		whop.WithBaseURL(baseURL),
		whop.WithRetryPolicy(quick),
		whop.WithLimiter(nil),
	}, opts...)...)
	require.NoError(t, err)
	return client
}

// sendError sends and returns the error, which there must be.
func sendError(t testing.TB, client *whop.Client, n whop.Notification) *whop.SendError {
	t.Helper()
	receipt, err := client.Send(t.Context(), n)
	require.Error(t, err)
	require.Nil(t, receipt)
	failure, ok := errors.AsType[*whop.SendError](err)
	require.True(t, ok, "%T is no *SendError", err)
	return failure
}

// roundTripper is an in-memory transport, which is what lets synctest hold the time.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func inMemory(f roundTripper) whop.Option {
	return whop.WithHTTPClient(&http.Client{Transport: f})
}

// response makes one; headers are pairs of name and value.
func response(status int, body string, headers ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Add(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// sentKey is the idempotency key of a request that has not crossed a network: its name
// is in lower case on purpose.
func sentKey(r *http.Request) string {
	name := "idempotency-key"
	if values := r.Header[name]; len(values) == 1 {
		return values[0]
	}
	return ""
}

const queuedBody = `{"success":true}`

// inTurn answers with each response once, then that the notification is queued.
func inTurn(answers ...func() (*http.Response, error)) roundTripper {
	var mu sync.Mutex
	return func(*http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(answers) == 0 {
			return response(http.StatusOK, queuedBody), nil
		}
		next := answers[0]
		answers = answers[1:]
		return next()
	}
}

func with(status int, body string, headers ...string) func() (*http.Response, error) {
	return func() (*http.Response, error) { return response(status, body, headers...), nil }
}

// rawServer is a peer that HTTP libraries cannot be: it serves each connection with
// the next of the given functions, and with the last of them from then on.
func rawServer(t testing.TB, serve ...func(net.Conn)) (baseURL string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	serveConns(t, listener, func(i int, conn net.Conn) { serve[min(i, len(serve)-1)](conn) })
	return "http://" + listener.Addr().String() + "/api/v1"
}

// serveConns serves each connection, by its number from 0, until the test ends.
func serveConns(t testing.TB, listener net.Listener, serve func(i int, conn net.Conn)) {
	t.Helper()
	var serving sync.WaitGroup
	serving.Go(func() {
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			i := len(conns)
			conns = append(conns, conn)
			serving.Go(func() {
				defer conn.Close()
				serve(i, conn)
			})
		}
		for _, conn := range conns {
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
}

// readRequest reads one whole request.
func readRequest(conn net.Conn) {
	if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
}

// reset breaks a connection so that the peer gets a RST.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// say reads a request, answers with these bytes and closes the connection.
func say(raw string) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, raw)
	}
}

// sayQueued is the answer of a success, as bytes.
const sayQueued = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\nConnection: close\r\n\r\n" + queuedBody
