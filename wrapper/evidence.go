package wrapper

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"reflect"
	"strings"
	"sync/atomic"
)

// evidence is what net/http says about one attempt while it is under way. It tells a
// request that cannot have reached Whop from one that may have: for the first there
// must be proof, and without any sign it is the second.
//
// The flags are atomic because an h2 stream can outlive the call that opened it. One
// that changes after the call has returned only ever makes a "may have" out of a
// proof that was none, never the reverse: a cancelled stream sends no body.
type evidence struct {
	wantedConn   atomic.Bool // it asked for a connection
	wroteHeaders atomic.Bool // into it, all of them
	writeFailed  atomic.Bool // on the way
	http2        atomic.Bool
	wroteEarlier atomic.Bool // headers, on an earlier connection

	transport transportTraits
	trace     httptrace.ClientTrace
}

// transportTraits is what is known of an http.RoundTripper without calling it.
type transportTraits struct {
	// resendsSafely: within one RoundTrip it sends again only what net/http knows
	// not to have been written, or not to have been processed.
	resendsSafely bool
	// tellsProtocol: the kind of connection says whether it carries HTTP/1 or 2.
	tellsProtocol bool
}

func traitsOf(rt http.RoundTripper) transportTraits {
	t, ok := rt.(*http.Transport)
	return transportTraits{
		resendsSafely: ok,
		tellsProtocol: ok && (t.Protocols == nil || !t.Protocols.UnencryptedHTTP2()),
	}
}

// hooks gives the trace that gathers e, for one attempt over such a transport.
func (e *evidence) hooks(transport transportTraits) *httptrace.ClientTrace {
	e.transport = transport
	e.trace = httptrace.ClientTrace{
		GetConn:      e.getConn,
		GotConn:      e.gotConn,
		WroteHeaders: func() { e.wroteHeaders.Store(true) },
		WroteRequest: e.wroteRequest,
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

// getConn starts anew: the transport sends again, on another connection.
func (e *evidence) getConn(string) {
	if e.wroteHeaders.Load() && !e.transport.resendsSafely {
		e.wroteEarlier.Store(true)
	}
	e.wantedConn.Store(true)
	e.wroteHeaders.Store(false)
	e.writeFailed.Store(false)
	e.http2.Store(false)
}

func (e *evidence) gotConn(info httptrace.GotConnInfo) {
	if c, ok := info.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol == "h2" {
		e.http2.Store(true)
	}
}

func (e *evidence) wroteRequest(info httptrace.WroteRequestInfo) {
	if info.Err != nil {
		e.writeFailed.Store(true)
	}
}

// rewind gives the GetBody of a request. By it net/http sends again, on another
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
	case e.wantedConn.Load():
		return true // no connection, or one that did not even get the headers
	}
	return failedBeforeConnection(err) || streamRefused(err)
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
	return untrusted(err) || errors.Is(err, http.ErrSchemeMismatch) || errors.Is(err, errors.ErrUnsupported)
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
	quoted, ok := strings.CutPrefix(err.Error(), "http2: Transport: cannot retry err [")
	return ok && (strings.HasPrefix(quoted, "http2: Transport received Server's graceful shutdown GOAWAY]") ||
		strings.HasPrefix(quoted, "stream error: stream ID ") && strings.Contains(quoted, "; REFUSED_STREAM"))
}
