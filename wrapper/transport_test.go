package wrapper_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestConnectionReuse(t *testing.T) {
	const workers, sends = 64, 2000
	whopServer, err := whoptest.New()
	require.NoError(t, err)
	defer whopServer.Close()
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(whopServer)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := newClient(t, server.URL+"/api/v1", whop.WithAPIKey(whopServer.APIKey()))
	for r := range client.SendAll(t.Context(), func(yield func(whop.Notification) bool) {
		for range sends {
			if !yield(paid) {
				return
			}
		}
	}, workers) {
		require.NoError(t, r.Err)
	}
	require.LessOrEqual(t, opened.Load(), int64(2*workers), "connections for %d sends", sends)
}

// A program that replaces http.DefaultTransport, to trace or to mock, means every client.
func TestReplacedDefaultTransport(t *testing.T) {
	server := whoptest.NewServer(t)
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	var once sync.Once
	used := make(chan struct{})
	http.DefaultTransport = roundTripper(func(r *http.Request) (*http.Response, error) {
		once.Do(func() { close(used) })
		return before.RoundTrip(r)
	})
	client := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()))
	_, err := client.Send(t.Context(), paid)
	require.NoError(t, err)
	<-used
}
