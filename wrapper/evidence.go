package wrapper

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"sync/atomic"
)

// evidence is what net/http says about one request while it is under way. It tells a
// request that cannot have reached Whop from one that may have: for the first there
// must be proof, and without any sign it is the second.
//
// The flags are atomic because an h2 stream can outlive the call that opened it. A change
// after the call has returned can only weaken the proof, never strengthen it: a cancelled
// stream sends no body.
type evidence struct {
	wantedConn   atomic.Bool // it asked for a connection
	connected    atomic.Bool // a new one, without TLS as yet
	inHandshake  atomic.Bool // a TLS handshake has begun and not succeeded
	gotConn      atomic.Bool // that is ready for the request
	reusedConn   atomic.Bool // and has served another before
	wroteHeaders atomic.Bool // into it, all of them
	writeFailed  atomic.Bool // on the way
	http2        atomic.Bool
	wroteEarlier atomic.Bool // headers, on an earlier connection

	bodyless  bool // its headers are the whole request
	transport transportTraits
	trace     httptrace.ClientTrace
}

// transportTraits is what is known of an http.RoundTripper without calling it.
type transportTraits struct {
	// netHTTP: it is net/http's own. It calls every hook; without one, it has done nothing.
	// Within one RoundTrip it sends again only what it knows not to have been written, or
	// not to have been processed.
	netHTTP bool
	// hidesProxies: of a proxy's answer to CONNECT it gives the reason phrase alone.
	hidesProxies bool
	// tellsProtocol: the kind of connection says whether it carries HTTP/1 or 2.
	tellsProtocol bool
}

func traitsOf(rt http.RoundTripper) transportTraits {
	t, ok := rt.(*http.Transport)
	return transportTraits{
		netHTTP:       ok,
		hidesProxies:  ok && t.OnProxyConnectResponse == nil,
		tellsProtocol: ok && (t.Protocols == nil || !t.Protocols.UnencryptedHTTP2()),
	}
}

// of is what is known of it for a method. A transport of net/http's sends by itself again what has a
// safe method, also after it was written.
func (t transportTraits) of(method string) transportTraits {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		t.netHTTP = false
	}
	return t
}

// hooks returns the trace that gathers e, for one attempt over such a transport.
func (e *evidence) hooks(transport transportTraits) *httptrace.ClientTrace {
	e.transport = transport
	e.trace = httptrace.ClientTrace{
		GetConn:      func(string) { e.startAnew() },
		GotConn:      e.gotConnection,
		WroteHeaders: e.headersWritten,
		WroteRequest: e.requestWritten,
	}
	if transport.hidesProxies {
		e.trace.ConnectDone = e.connectDone
		e.trace.TLSHandshakeStart = func() { e.inHandshake.Store(true) }
		e.trace.TLSHandshakeDone = e.tlsHandshakeDone
	}
	if !transport.netHTTP {
		e.trace.GotFirstResponseByte = func() { e.wroteHeaders.Store(true) }
	}
	if !transport.tellsProtocol {
		e.trace.WroteHeaderField = func(name string, _ []string) {
			if strings.HasPrefix(name, ":") { // a pseudo-header, as only HTTP/2 has
				e.http2.Store(true)
			}
		}
	}
	return &e.trace
}

// startAnew: the transport asks for a connection, or for another one to send again.
func (e *evidence) startAnew() {
	e.noteEarlier()
	e.wantedConn.Store(true)
	for _, flag := range []*atomic.Bool{&e.connected, &e.inHandshake, &e.gotConn, &e.reusedConn, &e.wroteHeaders, &e.writeFailed, &e.http2} {
		flag.Store(false)
	}
}

func (e *evidence) noteEarlier() {
	if e.wroteHeaders.Load() && !e.transport.netHTTP {
		e.wroteEarlier.Store(true)
	}
}

func (e *evidence) connectDone(_, _ string, err error) {
	if err == nil {
		e.connected.Store(true)
	}
}

func (e *evidence) tlsHandshakeDone(_ tls.ConnectionState, err error) {
	if err == nil {
		e.inHandshake.Store(false)
	}
}

func (e *evidence) gotConnection(info httptrace.GotConnInfo) {
	e.gotConn.Store(true)
	e.reusedConn.Store(info.Reused)
	if c, ok := info.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol == "h2" {
		e.http2.Store(true)
	}
}

func (e *evidence) headersWritten() {
	e.noteEarlier()
	e.wroteHeaders.Store(true)
}

func (e *evidence) requestWritten(info httptrace.WroteRequestInfo) {
	if info.Err != nil {
		e.writeFailed.Store(true)
		return
	}
	e.wroteHeaders.Store(true) // also where the transport does not say so
}

// rewind returns the GetBody of a request. By it net/http sends again, on another
// connection, what it knows not to have been written. On HTTP/2 it would use it on
// written requests too, after resets that prove nothing (PROTOCOL_ERROR), as often as
// they come and unseen by the limiter and AtMostOnce; so there it must not have it.
func (e *evidence) rewind(body []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		if e.http2.Load() && e.wroteHeaders.Load() {
			return nil, errors.New("not sent again within an attempt")
		}
		return io.NopCloser(bytes.NewReader(body)), nil
	}
}

// cannotHaveArrived reports whether there is proof that the request, which failed
// with err and no answer, did not reach the server whole.
func (e *evidence) cannotHaveArrived(err error) bool {
	switch {
	case e.wroteEarlier.Load():
		return false
	case e.wroteHeaders.Load():
		http1 := !e.http2.Load()
		return http1 && (e.writeFailed.Load() || failedOp(err) == "write") || streamRefused(err)
	case e.bodyless && e.gotConn.Load() && (e.http2.Load() || !e.transport.tellsProtocol):
		return streamRefused(err) // a cancelled stream may still send its headers
	case e.wantedConn.Load() || e.transport.netHTTP:
		return true // no connection, or one that did not even get the headers
	}
	return failedBeforeConnection(err) || streamRefused(err)
}

// keptConnectionDied reports whether a request got no answer over a connection that had
// served before: what is wrong may be the connection alone. On HTTP/2, where the transport
// finds that out by pings, a time-out says otherwise.
func (e *evidence) keptConnectionDied(timeout bool) bool {
	return e.reusedConn.Load() && !(timeout && e.http2.Load())
}

// lostConnection reports whether a request that cannot have arrived had a connection, which
// then turned out to be unusable: another one may serve at once.
func (e *evidence) lostConnection(err error) bool {
	// The words are those of net/http where it would send again what it knows not to have
	// been written, and has no GetBody for it; see rewind.
	return e.gotConn.Load() || err.Error() == "net/http: cannot rewind body after connection loss"
}

// failedBeforeConnection reports whether the type of err says that there was no
// connection yet.
func failedBeforeConnection(err error) bool {
	if _, dns := errors.AsType[*net.DNSError](err); dns || untrusted(err) {
		return true
	}
	switch failedOp(err) {
	case "dial", "proxyconnect", "socks connect":
		return true
	}
	return errors.Is(err, http.ErrSchemeMismatch)
}

// failedOp is what a network error was about: "dial", "read", "write", or "".
func failedOp(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op
	}
	return ""
}

// untrusted reports whether the server's certificate or name was not accepted.
func untrusted(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.CertificateInvalidError](err)
	return ok
}

// permanent reports whether a failure to connect will not pass within seconds.
func permanent(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return true
	}
	if proxy, ok := errors.AsType[*proxyError](err); ok {
		return proxy.status > 0 && proxy.status < 500
	}
	return untrusted(err) || errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errors.ErrUnsupported)
}

// proxyError is an answer other than success of a proxy that was asked for a connection.
type proxyError struct {
	status int // 0: not known
	text   string
}

func (e *proxyError) Error() string {
	if e.status == 0 {
		return "the proxy made no connection: " + cmp.Or(e.text, "its answer has no status")
	}
	return strings.TrimSpace(fmt.Sprintf("the proxy refused to connect: %d %s", e.status, e.text))
}

// explainProxy names the proxy in an error that is its answer. Of that net/http gives the
// reason phrase alone, as an error after connecting and before any TLS with the server.
func (e *evidence) explainProxy(err error) error {
	atProxy := e.transport.hidesProxies && e.connected.Load() && !e.inHandshake.Load() && !e.gotConn.Load()
	if !atProxy || reflect.TypeOf(err) != reflect.TypeOf(errors.New("")) || errors.Is(err, context.Canceled) {
		return err
	}
	for status := range 600 {
		if text := http.StatusText(status); text != "" && text == err.Error() {
			return &proxyError{status, text}
		}
	}
	return &proxyError{text: err.Error()}
}

// streamRefused reports whether the server said, by REFUSED_STREAM or a GOAWAY that
// leaves the stream out, that an HTTP/2 stream was not processed at all (RFC 9113, 8.7).
// The error's type has no exported name in net/http and another in
// golang.org/x/net/http2, so it is told by its fields.
func streamRefused(err error) bool {
	const refusedStream = 7
	for ; err != nil; err = errors.Unwrap(err) {
		if quotesRefusal(err) {
			return true
		}
		v := reflect.ValueOf(err)
		if v.Kind() != reflect.Struct || !v.FieldByName("StreamID").IsValid() {
			continue
		}
		if code := v.FieldByName("Code"); code.IsValid() && code.CanUint() {
			return code.Uint() == refusedStream
		}
	}
	return false
}

// quotesRefusal reads the one error that is told by its text: net/http, kept by a
// missing GetBody from sending a refused stream again, gives the refusal only as words
// within another error. See rewind for why it is kept from it. Words that are not these
// are no proof, so should they change, a refusal becomes a doubt and a test fails.
func quotesRefusal(err error) bool {
	quoted, ok := strings.CutPrefix(err.Error(), cannotRetry)
	return ok && (strings.HasPrefix(quoted, "http2: Transport received Server's graceful shutdown GOAWAY]") ||
		strings.HasPrefix(quoted, "stream error: stream ID ") && strings.Contains(quoted, "; REFUSED_STREAM"))
}

const cannotRetry = "http2: Transport: cannot retry err ["

// withoutAdvice leaves out of that error what net/http advises its caller to do.
func withoutAdvice(err error) error {
	quoted, ok := strings.CutPrefix(err.Error(), cannotRetry)
	if i := strings.LastIndex(quoted, "] after Request.Body was written"); ok && i > 0 {
		return &rewordedError{quoted[:i], err}
	}
	return err
}

type rewordedError struct {
	text string
	err  error
}

func (e *rewordedError) Error() string { return e.text }
func (e *rewordedError) Unwrap() error { return e.err }
