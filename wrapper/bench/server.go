package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
)

// endpoints is where the server listens, and the certificate to trust there.
type endpoints struct {
	HTTP1       string
	HTTP2       string
	Certificate []byte
}

// url is where the protocol is spoken: "http/1.1" or "h2".
func (at endpoints) url(protocol string) string {
	if protocol == "h2" {
		return at.HTTP2
	}
	return at.HTTP1
}

// listen serves h over plain HTTP/1.1 and over TLS with HTTP/2.
func listen(h http.Handler) (at endpoints, stop func()) {
	plain := httptest.NewServer(h)
	secure := httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	at = endpoints{HTTP1: plain.URL, HTTP2: secure.URL, Certificate: secure.Certificate().Raw}
	return at, func() {
		plain.Close()
		secure.Close()
	}
}

// queue answers as Whop does, at the least cost.
func queue(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"success":true}`)
}

// serve is the server's process: it says where it listens, and ends with its input.
func serve() error {
	at, _ := listen(http.HandlerFunc(queue))
	if err := json.NewEncoder(os.Stdout).Encode(at); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startServer runs serve in a process of its own, so that this one's CPU time and
// allocations are those of the clients alone.
func startServer() (at endpoints, stop func() error, err error) {
	program, err := os.Executable()
	if err != nil {
		return at, nil, err
	}
	server := exec.Command(program, "-serve")
	server.Stderr = os.Stderr
	input, err := server.StdinPipe()
	if err != nil {
		return at, nil, err
	}
	output, err := server.StdoutPipe()
	if err != nil {
		return at, nil, err
	}
	if err := server.Start(); err != nil {
		return at, nil, err
	}
	stop = func() error {
		input.Close()
		return server.Wait()
	}
	if err := json.NewDecoder(output).Decode(&at); err != nil {
		return at, nil, errors.Join(fmt.Errorf("starting the server: %w", err), stop())
	}
	return at, stop, nil
}

// newTransport has the settings of wrapper's own one, for a server that no authority knows.
func newTransport(at endpoints) (*http.Transport, error) {
	certificate, err := x509.ParseCertificate(at.Certificate)
	if err != nil {
		return nil, err
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = 1024
	t.MaxIdleConnsPerHost = 1024
	t.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
	t.TLSClientConfig.RootCAs.AddCert(certificate)
	return t, nil
}
