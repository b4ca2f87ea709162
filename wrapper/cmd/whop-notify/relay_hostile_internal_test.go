package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listenAs serves a queue that takes everything, within bounds, until the test ends.
func listenAs(t *testing.T, bounds relayBounds) (address string) {
	t.Helper()
	listener, err := (&relayListenFlags{addr: "127.0.0.1:0"}).listen(bounds)
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error)
	go func() {
		served <- serveRelay(ctx, listener, newRelayHandler(&keyQueue{}, testRelayKey, false, slog.New(slog.DiscardHandler)), bounds, slog.New(slog.DiscardHandler))
	}()
	t.Cleanup(func() {
		end()
		require.NoError(t, <-served)
	})
	return listener.Addr().String()
}

// connect returns a connection that fails where the relay does nothing for long.
func connect(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

const (
	wholeRequest = "POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + testRelayKey + "\r\nContent-Type: application/json\r\n" +
		"Content-Length: 48\r\n\r\n" + `{"company_id":"biz_1","title":"T","content":"C"}`
	headOnly = "POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + testRelayKey + "\r\nContent-Type: application/json\r\n"
)

// The relay parts from a client that is slow or takes up much.
func TestRelayPartsFromHostileClients(t *testing.T) {
	t.Parallel()
	short := relayBounds{header: 200 * time.Millisecond, body: 400 * time.Millisecond, answer: time.Second, idle: 200 * time.Millisecond, headerBytes: 4 << 10, connections: 100}
	address := listenAs(t, short)
	for _, test := range []struct {
		name   string
		sends  []string // one each 50 ms, the last again and again
		answer string   // the first line; "" for none
	}{
		{name: "nothing", sends: []string{""}},
		{name: "no end of the header", sends: []string{"POST /api/v1/notifications HTTP/1.1\r\n", "X: y\r\n"}},
		{name: "no body", sends: []string{headOnly + "Content-Length: 100\r\n\r\n", ""}, answer: "HTTP/1.1 408 Request Timeout"},
		{name: "a body in drops", sends: []string{headOnly + "Content-Length: 100000\r\n\r\n", " "}, answer: "HTTP/1.1 408 Request Timeout"},
		{name: "chunks in drops", sends: []string{headOnly + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"}, answer: "HTTP/1.1 408 Request Timeout"},
		{name: "nothing more after a request", sends: []string{wholeRequest, ""}, answer: "HTTP/1.1 200 OK"},
		{name: "a large header", sends: []string{"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 16<<10) + "\r\n\r\n", ""}, answer: "HTTP/1.1 431 Request Header Fields Too Large"},
		{name: "two lengths", sends: []string{headOnly + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", ""}, answer: "HTTP/1.1 400 Bad Request"},
		{name: "no HTTP", sends: []string{"\x16\x03\x01\x00\x05hello\r\n\r\n", ""}, answer: "HTTP/1.1 400 Bad Request"},
		{name: "a chunk of a size that is none", sends: []string{headOnly + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", ""}, answer: "HTTP/1.1 400 Bad Request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn := connect(t, address)
			ended := make(chan struct{})
			defer func() { <-ended }()
			go func() {
				defer close(ended)
				for i := 0; ; i++ {
					if _, err := io.WriteString(conn, test.sends[min(i, len(test.sends)-1)]); err != nil || i == 100 {
						return
					}
					if test.sends[len(test.sends)-1] == "" && i > 0 {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			}()
			answer, err := io.ReadAll(conn)
			if err != nil { // a reset, since the client still sent
				require.NotErrorIs(t, err, context.DeadlineExceeded)
				require.NotContains(t, err.Error(), "timeout")
			}
			first, _, _ := strings.Cut(string(answer), "\r\n")
			require.Equal(t, test.answer, first)
			_ = conn.Close()
		})
	}
}

// More connections than the bound wait for one to end.
func TestRelayBoundsItsConnections(t *testing.T) {
	t.Parallel()
	bounds := defaultRelayBounds
	bounds.connections = 2
	address := listenAs(t, bounds)
	first, second := connect(t, address), connect(t, address)
	for _, conn := range []net.Conn{first, second} {
		_, err := io.WriteString(conn, wholeRequest)
		require.NoError(t, err)
		requireStored(t, conn)
	}
	third := connect(t, address)
	_, err := io.WriteString(third, wholeRequest)
	require.NoError(t, err)
	require.NoError(t, third.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	_, err = third.Read(make([]byte, 1))
	require.ErrorContains(t, err, "timeout")
	require.NoError(t, third.SetReadDeadline(time.Now().Add(20*time.Second)))
	require.NoError(t, first.Close())
	requireStored(t, third)
}

func requireStored(t *testing.T, conn net.Conn) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode)
}
