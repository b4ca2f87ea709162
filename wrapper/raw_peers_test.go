package wrapper_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Peers that whoptest cannot be. Whatever they do, a request that came whole is never
// said not to have been sent, and with AtMostOnce none comes whole a second time.
func TestRawPeers(t *testing.T) {
	const nothing = -1
	type peerFunc func(conn net.Conn, whole func() bool, over <-chan struct{})
	closeAfter := func(bytes int, bye func(net.Conn)) peerFunc {
		return func(conn net.Conn, _ func() bool, _ <-chan struct{}) {
			if bytes != nothing {
				_, _ = io.CopyN(io.Discard, conn, int64(bytes))
			}
			bye(conn)
		}
	}
	leave := func(conn net.Conn) { conn.Close() }
	answerThen := func(raw string, bye func(net.Conn)) peerFunc {
		return func(conn net.Conn, whole func() bool, _ <-chan struct{}) {
			if whole() {
				_, _ = io.WriteString(conn, raw)
			}
			bye(conn)
		}
	}
	for _, test := range []struct {
		name   string
		peer   peerFunc
		queued bool // may end well
	}{
		{name: "closes_after_accepting", peer: closeAfter(nothing, leave)},
		{name: "resets_after_accepting", peer: closeAfter(nothing, reset)},
		{name: "closes_after_1_byte", peer: closeAfter(1, leave)},
		{name: "closes_within_the_headers", peer: closeAfter(100, leave)},
		{name: "resets_within_the_headers", peer: closeAfter(100, reset)},
		{name: "closes_within_a_large_body", peer: closeAfter(20_000, leave)},
		{name: "resets_within_a_large_body", peer: closeAfter(20_000, reset)},
		{name: "closes_after_the_request", peer: answerThen("", leave)},
		{name: "resets_after_the_request", peer: answerThen("", reset)},
		{name: "closes_within_the_status_line", peer: answerThen("HTTP/1.1 2", leave)},
		{name: "closes_within_the_answer_headers", peer: answerThen("HTTP/1.1 200 OK\r\nContent-Le", reset)},
		{name: "answers_then_resets", peer: answerThen(sayQueued, reset), queued: true},
		{name: "half-open_reading", peer: func(conn net.Conn, whole func() bool, _ <-chan struct{}) {
			whole()
			_, _ = io.Copy(io.Discard, conn)
		}},
		{name: "half-open_not_reading", peer: func(conn net.Conn, _ func() bool, over <-chan struct{}) {
			_ = conn.(*net.TCPConn).SetReadBuffer(4096)
			<-over
		}},
	} {
		for _, large := range []bool{false, true} {
			for _, atMostOnce := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/large_%v/AtMostOnce_%v", test.name, large, atMostOnce), func(t *testing.T) {
					t.Parallel()
					var whole atomic.Int32
					over := make(chan struct{})
					url := rawServer(t, func(conn net.Conn) {
						test.peer(conn, func() bool {
							r, err := http.ReadRequest(bufio.NewReader(conn))
							if err != nil {
								return false
							}
							if _, err := io.Copy(io.Discard, r.Body); err != nil {
								return false
							}
							whole.Add(1)
							return true
						}, over)
					})
					t.Cleanup(func() { close(over) })
					p := quick
					p.AtMostOnce = atMostOnce
					transport := &http.Transport{}
					t.Cleanup(transport.CloseIdleConnections)
					client := newClient(t, url, whop.WithRetryPolicy(p), whop.WithAttemptTimeout(150*time.Millisecond),
						whop.WithHTTPClient(&http.Client{Transport: transport}))
					m := whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}
					if large {
						m.Content = strings.Repeat("paid ", 1_000_000)
					}
					_, err := client.Send(t.Context(), whop.ToCompany("biz_1", m))
					if err == nil {
						assert.True(t, test.queued)
						assert.NotZero(t, whole.Load())
						return
					}
					failure := err.(*whop.SendError)
					assert.NotEqual(t, whop.Rejected, failure.Outcome)
					assert.True(t, failure.Retryable())
					if failure.Outcome == whop.NotSent {
						assert.Zero(t, whole.Load(), "%v", failure)
					}
					if atMostOnce {
						assert.LessOrEqual(t, whole.Load(), int32(1), "%v", failure)
					}
				})
			}
		}
	}
}
