package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// relayBounds are what a client may take up.
type relayBounds struct {
	header      time.Duration // to send the header
	body        time.Duration // to send all
	answer      time.Duration // to have the answer, from the header on
	idle        time.Duration
	headerBytes int
	connections int
	streams     int // requests at a time of a connection, where it is HTTP/2
}

var defaultRelayBounds = relayBounds{
	header: 10 * time.Second, body: time.Minute, answer: 2 * time.Minute, idle: time.Minute,
	headerBytes: 64 << 10, connections: 1000, streams: 20,
}

// relayStopTime is how long those that are being answered may take when the relay ends:
// more than storing does.
const relayStopTime = relayStoreTime + 2*time.Second

// relayListenFlags choose where a relay listens.
type relayListenFlags struct {
	addr, cert, key string
	pair            tls.Certificate
}

func (f *relayListenFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8080", "`HOST:PORT` to listen on; port 0 picks a free one; an address that is not loopback needs\n--tls-cert and --tls-key, or --insecure-http")
	flags.StringVar(&f.cert, "tls-cert", "", "`FILE` with the certificate to serve HTTPS with, and those that it was issued by")
	flags.StringVar(&f.key, "tls-key", "", "`FILE` with its private key")
}

func (f *relayListenFlags) check(insecure bool) error {
	host, err := checkAddress("--addr", f.addr, "127.0.0.1:8080")
	if err != nil {
		return err
	}
	if (f.cert == "") != (f.key == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	if f.cert != "" {
		if f.pair, err = tls.LoadX509KeyPair(f.cert, f.key); err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		return nil
	}
	if !isLoopback(host) && !insecure {
		return fmt.Errorf("--addr %q is not a loopback address: give --tls-cert and --tls-key, or --insecure-http where something else keeps it secret", f.addr)
	}
	return nil
}

func (f *relayListenFlags) listen(bounds relayBounds) (net.Listener, error) {
	listener, err := listen("--addr", f.addr)
	if err != nil {
		return nil, err
	}
	listener = &boundedListener{Listener: listener, slots: make(chan struct{}, bounds.connections), closed: make(chan struct{})}
	if f.cert != "" {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{f.pair}, NextProtos: []string{"h2", "http/1.1"}})
	}
	return listener, nil
}

func (f *relayListenFlags) url(listener net.Listener) string {
	scheme := "http://"
	if f.cert != "" {
		scheme = "https://"
	}
	return reachable(scheme + listener.Addr().String() + "/api/v1")
}

// relayKey is what a request needs to get in.
type relayKey struct {
	text string
	made bool // and not known to anybody yet
}

const minRelayKey = 16 // bytes

func (f *relayListenFlags) chooseKey(cmd *cobra.Command, file string) (relayKey, error) {
	if !cmd.Flags().Changed("relay-key-file") {
		return relayKey{text: "relay_" + rand.Text(), made: true}, nil
	}
	key, err := readStrongKey("--relay-key-file", file)
	return relayKey{text: key}, err
}

// readStrongKey reads one that keeps strangers out.
func readStrongKey(flag, file string) (string, error) {
	key, err := readKey(flag, file)
	switch {
	case err != nil:
	case len(key) < minRelayKey:
		err = fmt.Errorf("%s: the key has %d bytes, under %d, and could be guessed", flag, len(key), minRelayKey)
	case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		err = fmt.Errorf("%s: the key has a character that no client can send: only printable ASCII without spaces can be one", flag)
	}
	return key, err
}

// serveRelay serves until ctx ends, and lets end what is being answered.
func serveRelay(ctx context.Context, listener net.Listener, handler http.Handler, bounds relayBounds, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: bounds.header,
		ReadTimeout:       bounds.body,
		WriteTimeout:      bounds.answer,
		IdleTimeout:       bounds.idle,
		MaxHeaderBytes:    bounds.headerBytes,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: bounds.streams},
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	if in, ok := handler.(*relayInbox); ok {
		server.RegisterOnShutdown(in.end)
	}
	stopped := make(chan struct{})
	stopping := context.AfterFunc(ctx, func() {
		defer close(stopped)
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), relayStopTime)
		defer cancel()
		if server.Shutdown(ending) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(listener)
	if !stopping() {
		<-stopped
		return nil
	}
	return errors.Join(fmt.Errorf("listening: %w", err), server.Close())
}

// boundedListener keeps no more than so many connections open; others wait at the system.
type boundedListener struct {
	net.Listener
	slots  chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (l *boundedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &boundedConn{Conn: conn, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type boundedConn struct {
	net.Conn
	release func()
}

func (c *boundedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// CloseWrite lets an answer arrive where the client still sends.
func (c *boundedConn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}
