package wrapper

import (
	"net/http"
	"sync"
)

// maxIdleConns is how many connections to one host are kept for the next request.
// net/http keeps 2, so that more workers than that would open one for most requests.
const maxIdleConns = 1024

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

var sharedTransport = sync.OnceValue(func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConns = maxIdleConns
	t.MaxIdleConnsPerHost = maxIdleConns
	return t
})
