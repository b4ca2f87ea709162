package whoptest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"time"
)

// carryOut does to the client what the reply says. usual is the normal answer, if the reply
// asks for it first.
func (c *call) carryOut(reply Reply, usual response) {
	switch reply.fault {
	case answering:
		c.answer(reply.response(c.contract))
	case stalling:
		if !c.stall(reply.stall) {
			c.abort(nil)
			return
		}
		if !reply.queue {
			var done func(response)
			usual, done = c.serve()
			done(usual)
		}
		c.answer(usual)
	case truncating:
		c.w.Header().Set("Content-Length", strconv.Itoa(len(usual.body)))
		usual.body = usual.body[:len(usual.body)/2]
		c.answer(usual)
		_ = http.NewResponseController(c.w).Flush()
		panic(http.ErrAbortHandler)
	case sendingGarbage:
		c.abort(reply.garbage)
	default:
		c.abort(nil)
	}
}

// stall waits for d, or forever if d is 0. It reports whether to go on: it returns false if
// the client went away or the server was closed.
func (c *call) stall(d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-over:
		return true
	case <-c.r.Context().Done():
	case <-c.server.stopped.Done():
	}
	return false
}

// abort writes raw bytes, if any, and breaks the connection. Without bytes it resets the
// connection; over HTTP/2 it resets only the stream.
func (c *call) abort(say []byte) {
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(say) > 0 {
		stop := context.AfterFunc(c.server.stopped, func() { _ = conn.Close() }) // where the client does not read
		defer stop()
		_, _ = conn.Write(say)
		_ = conn.Close()
		return
	}
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn() // without the farewell that TLS would send
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
