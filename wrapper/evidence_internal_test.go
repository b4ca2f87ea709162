package wrapper

import (
	"io"
	"net/http/httptrace"
	"testing"

	"github.com/stretchr/testify/assert"
)

// connection calls the hooks of a request that net/http begins to send over a connection.
func connection(e *evidence, http2 bool) {
	e.trace.GetConn("whop.test:443")
	e.trace.GotConn(httptrace.GotConnInfo{})
	e.http2.Store(http2)
}

// What an earlier connection showed proves nothing of a later one.
func TestEvidenceStartsAnewWithEachConnection(t *testing.T) {
	for _, test := range []struct {
		name    string
		earlier func(*evidence)
		arrived bool
	}{
		{name: "write_failed", earlier: func(e *evidence) { e.trace.WroteRequest(httptrace.WroteRequestInfo{Err: io.ErrClosedPipe}) }, arrived: true},
		{name: "handshake_begun", earlier: func(e *evidence) { e.trace.TLSHandshakeStart() }, arrived: true},
		{name: "connected", earlier: func(e *evidence) { e.trace.ConnectDone("tcp", "", nil) }, arrived: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e evidence
			e.hooks(transportTraits{netHTTP: true, hidesProxies: true, tellsProtocol: true})
			connection(&e, false)
			test.earlier(&e)
			connection(&e, false)
			e.trace.WroteHeaders()
			assert.Equal(t, test.arrived, !e.cannotHaveArrived(io.EOF))
			assert.False(t, e.writeFailed.Load() || e.inHandshake.Load() || e.connected.Load())
		})
	}

	// Nor are headers that were written to an earlier one written to the next.
	var e evidence
	e.hooks(transportTraits{netHTTP: true, hidesProxies: true, tellsProtocol: true})
	connection(&e, false)
	e.trace.WroteHeaders()
	connection(&e, false)
	assert.True(t, e.cannotHaveArrived(io.EOF))
}

// net/http may send a body again unless it has written the request to an HTTP/2 stream.
func TestRewind(t *testing.T) {
	for _, test := range []struct {
		name         string
		http2, wrote bool
		refused      bool
	}{
		{name: "HTTP/1", wrote: false},
		{name: "HTTP/1 written", wrote: true},
		{name: "HTTP/2", http2: true},
		{name: "HTTP/2 written", http2: true, wrote: true, refused: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e evidence
			e.hooks(transportTraits{netHTTP: true, hidesProxies: true, tellsProtocol: true})
			connection(&e, test.http2)
			if test.wrote {
				e.trace.WroteHeaders()
			}
			body, err := e.rewind([]byte("body"))()
			if test.refused {
				assert.Error(t, err)
				return
			}
			again, _ := io.ReadAll(body)
			assert.Equal(t, "body", string(again))
		})
	}
}
