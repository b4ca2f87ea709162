package wrapper_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// The jar of the caller's http.Client keeps what a server sets, and sends it back.
func TestCookiesAreKept(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Cookie"))
		http.SetCookie(w, &http.Cookie{Name: "edge", Value: "7"})
		_, _ = io.WriteString(w, queuedBody)
	}))
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := newClient(t, server.URL, whop.WithHTTPClient(&http.Client{Jar: jar}))
	for range 2 {
		_, err = client.Send(t.Context(), paid)
		require.NoError(t, err)
	}
	assert.Equal(t, []string{"", "edge=7"}, got)
	client.CloseIdleConnections()
}
