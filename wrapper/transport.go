package wrapper

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxIdleConns is how many connections to one host are kept for the next request.
// net/http keeps 2, so that more workers than that would open one for most requests.
const maxIdleConns = 1024

// maxHeader is the most of an answer's header that is read, in bytes: net/http reads 10 MB.
const maxHeader = 1 << 20

// HTTP/2 keeps one connection for everything, and a network that forgets it says nothing.
// So a connection without a sign of life is asked for one, and given up without an answer:
// then it is dead for 13 s at most.
const (
	pingAfter    = 8 * time.Second
	pingTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second // without a byte written
)

// defaultTransport is that of clients without one of their own: they share it, so that
// a client has nothing to close. Proxies, and the time-outs for dialling (30 s), the TLS
// handshake (10 s) and idle connections (90 s), are those of http.DefaultTransport; the
// time-out of an attempt bounds the wait for an answer.
func defaultTransport() http.RoundTripper {
	if _, ok := http.DefaultTransport.(*http.Transport); !ok {
		return http.DefaultTransport // somebody's own, for the whole program
	}
	return sharedTransport()
}

var sharedTransport = sync.OnceValue(newTransport)

func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = maxIdleConns
	t.MaxIdleConnsPerHost = maxIdleConns
	t.MaxResponseHeaderBytes = maxHeader
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout}
	if t.OnProxyConnectResponse == nil {
		t.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			return &proxyError{resp.StatusCode, http.StatusText(resp.StatusCode)}
		}
	}
	return t
}
