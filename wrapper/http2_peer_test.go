package wrapper_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificate makes one for 127.0.0.1 that signs itself.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// http2Transport trusts the certificate, and speaks HTTP/2 where the server does.
func http2Transport(t testing.TB, trusted tls.Certificate) *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(trusted.Leaf)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// http2Server speaks HTTP/2 frame by frame, as no HTTP library lets one. It serves each
// connection with the next of the given functions, and with the last from then on.
type http2Server struct {
	baseURL   string
	transport *http.Transport
	arrived   atomic.Int32 // requests that came whole
	conns     atomic.Int32
}

func newHTTP2Server(t testing.TB, serve ...func(*http2Conn)) *http2Server {
	t.Helper()
	cert := certificate(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert},
		NextProtos:   []string{"h2"},
	})
	require.NoError(t, err)
	s := &http2Server{
		baseURL:   "https://" + listener.Addr().String() + "/api/v1",
		transport: http2Transport(t, cert),
	}
	serveConns(t, listener, func(i int, conn net.Conn) {
		s.conns.Add(1)
		c := &http2Conn{Conn: conn, server: s}
		if c.greet() {
			serve[min(i, len(serve)-1)](c)
		}
	})
	return s
}

// http2Conn is one connection of the server. Its methods stop at the first error: the
// client has gone.
type http2Conn struct {
	net.Conn
	server *http2Server
}

func (c *http2Conn) greet() bool {
	preface := make([]byte, len(http2Preface))
	_, err := io.ReadFull(c.Conn, preface)
	return err == nil && c.write(http2Frame{kind: settingsFrame}) == nil
}

// headers reads until the headers of a request have come, and gives its stream and
// whether that is all of it.
func (c *http2Conn) headers() (stream uint32, whole bool) {
	f, ok := c.next(func(f http2Frame) bool { return f.kind == headersFrame })
	return f.stream, ok && f.endsStream()
}

// request reads until a request has come whole; one that is given up on never does.
func (c *http2Conn) request() (stream uint32) {
	f, ok := c.next(http2Frame.endsStream)
	if ok {
		c.server.arrived.Add(1)
	}
	return f.stream
}

// next reads frames, obeying what the protocol asks for, up to one that is wanted. There
// is none if the client leaves before.
func (c *http2Conn) next(wanted func(http2Frame) bool) (f http2Frame, ok bool) {
	for {
		f, err := readFrame(c.Conn)
		if err != nil {
			return http2Frame{}, false
		}
		if f.flags&ackFlag == 0 {
			switch f.kind {
			case settingsFrame:
				_ = c.write(http2Frame{kind: settingsFrame, flags: ackFlag})
			case pingFrame:
				_ = c.write(http2Frame{kind: pingFrame, flags: ackFlag, payload: f.payload})
			}
		}
		if wanted(f) {
			return f, true
		}
	}
}

func (c *http2Conn) write(f http2Frame) error { return writeFrame(c.Conn, f) }

// answer says that the notification is queued.
func (c *http2Conn) answer(stream uint32) {
	_ = c.write(http2Frame{kind: headersFrame, flags: endHeadersFlag, stream: stream, payload: status200})
	_ = c.write(http2Frame{kind: dataFrame, flags: endStreamFlag, stream: stream, payload: []byte(queuedBody)})
}

func (c *http2Conn) reset(stream uint32, code http2Code) {
	_ = c.write(http2Frame{kind: rstStreamFrame, stream: stream, payload: binary.BigEndian.AppendUint32(nil, uint32(code))})
}

// goAway names the last stream that the server has processed or may yet process.
func (c *http2Conn) goAway(last uint32, code http2Code) {
	payload := binary.BigEndian.AppendUint32(nil, last)
	_ = c.write(http2Frame{kind: goAwayFrame, payload: binary.BigEndian.AppendUint32(payload, uint32(code))})
}

// linger keeps the connection until the client leaves it.
func (c *http2Conn) linger() { c.next(func(http2Frame) bool { return false }) }

// serveAll answers every request.
func serveAll(c *http2Conn) {
	for {
		stream := c.request()
		if stream == 0 {
			return
		}
		c.answer(stream)
	}
}

// resetAll resets the stream of every request that has come whole.
func resetAll(code http2Code) func(*http2Conn) {
	return func(c *http2Conn) {
		for {
			stream := c.request()
			if stream == 0 {
				return
			}
			c.reset(stream, code)
		}
	}
}

// resetFirst resets the stream of the first request, and answers the others.
func resetFirst(code http2Code) func(*http2Conn) {
	return func(c *http2Conn) {
		if stream := c.request(); stream != 0 {
			c.reset(stream, code)
		}
		serveAll(c)
	}
}
