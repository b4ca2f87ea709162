package inbox_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/whopnotify/whopnotify/wrapper/cmd/whop-notify/internal/inbox"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The page is at the root alone; another site may link to it, but a rebound name has none.
func TestPage(t *testing.T) {
	handler := inbox.New(inbox.Config{Source: whoptest.NewServer(t)})
	for _, test := range []struct {
		path, host, site string
		status           int
	}{
		{path: "/", host: "localhost", status: 200},
		{path: "/", host: "localhost", site: "cross-site", status: 200},
		{path: "/", host: "attacker.example", status: 403},
		{path: "/index.html", host: "localhost", status: 404},
	} {
		r := httptest.NewRequest(http.MethodGet, test.path, nil)
		r.Host = test.host
		r.Header.Set("Sec-Fetch-Site", test.site)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		assert.Equal(t, test.status, answer.Code, "%+v", test)
		if test.status == 200 {
			assert.Regexp(t, "default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+';", answer.Header().Get("Content-Security-Policy"))
			assert.Contains(t, answer.Body.String(), "<!doctype html>")
		}
	}
}
