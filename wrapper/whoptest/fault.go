package whoptest

import (
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
)

// carryOut does to the client what the reply says. usual is the answer of normal
// service, if that was asked for first.
func (c *call) carryOut(reply Reply, usual response) {
	switch reply.fault {
	case answering:
		c.answer(reply.response(c.contract))
	case stalling:
		select {
		case <-c.r.Context().Done():
		case <-c.server.stopped.Done():
		}
		abort(c.w, nil)
	case truncating:
		c.w.Header().Set("Content-Length", strconv.Itoa(len(usual.body)))
		usual.body = usual.body[:len(usual.body)/2]
		c.answer(usual)
		_ = http.NewResponseController(c.w).Flush()
		panic(http.ErrAbortHandler)
	case sendingGarbage:
		abort(c.w, reply.garbage)
	default:
		abort(c.w, nil)
	}
}

// abort writes raw bytes, if any, and breaks the connection: with a reset if there is
// nothing to say, and of the stream alone over HTTP/2.
func abort(w http.ResponseWriter, say []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(say) > 0 {
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
