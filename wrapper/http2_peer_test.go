package wrapper_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
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
		c := &http2Conn{Conn: conn, server: s, Framer: http2.NewFramer(conn, conn)}
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
	*http2.Framer
	server *http2Server
}

func (c *http2Conn) greet() bool {
	preface := make([]byte, len(http2.ClientPreface))
	_, err := io.ReadFull(c.Conn, preface)
	return err == nil && c.WriteSettings() == nil
}

// headers reads until the headers of a request have come, and gives its stream and
// whether that is all of it.
func (c *http2Conn) headers() (stream uint32, whole bool) {
	f := c.next(func(f http2.Frame) bool { return f.Header().Type == http2.FrameHeaders })
	if f == nil {
		return 0, false
	}
	return f.Header().StreamID, f.(*http2.HeadersFrame).StreamEnded()
}

// request reads until a request has come whole; one that is given up on never does.
func (c *http2Conn) request() (stream uint32) {
	f := c.next(ended)
	if f == nil {
		return 0
	}
	c.server.arrived.Add(1)
	return f.Header().StreamID
}

// ended reports whether a frame is the last of its stream.
func ended(f http2.Frame) bool {
	switch f := f.(type) {
	case *http2.DataFrame:
		return f.StreamEnded()
	case *http2.HeadersFrame:
		return f.StreamEnded()
	}
	return false
}

// next reads frames, obeying what the protocol asks for, up to one that is wanted.
func (c *http2Conn) next(wanted func(http2.Frame) bool) http2.Frame {
	for {
		f, err := c.ReadFrame()
		if err != nil {
			return nil
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = c.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				_ = c.WritePing(true, f.Data)
			}
		}
		if wanted(f) {
			return f
		}
	}
}

// answer says that the notification is queued.
func (c *http2Conn) answer(stream uint32) {
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = c.WriteData(stream, true, []byte(queuedBody))
}

// linger keeps the connection until the client leaves it.
func (c *http2Conn) linger() { c.next(func(http2.Frame) bool { return false }) }

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
func resetAll(code http2.ErrCode) func(*http2Conn) {
	return func(c *http2Conn) {
		for {
			stream := c.request()
			if stream == 0 {
				return
			}
			_ = c.WriteRSTStream(stream, code)
		}
	}
}

// resetFirst resets the stream of the first request, and answers the others.
func resetFirst(code http2.ErrCode) func(*http2Conn) {
	return func(c *http2Conn) {
		if stream := c.request(); stream != 0 {
			_ = c.WriteRSTStream(stream, code)
		}
		serveAll(c)
	}
}
