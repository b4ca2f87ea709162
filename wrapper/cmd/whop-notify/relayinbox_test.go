package main_test

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const inboxKey = "a-key-of-the-inbox's-own"

func TestRelayShowsWhatCameToWhoHasTheKey(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(inboxKey+"\n"), 0o600))
	p, base := relay(t, environment(server), "--state", filepath.Join(t.TempDir(), "relay"), "--inbox-key-file", file)
	root := strings.TrimSuffix(base, "/api/v1")

	leaky := map[string]string{"Idempotency-Key": "k", "X-Api-Key": server.APIKey(), "Cookie": "session=crumb"}
	for range 2 {
		require.Equal(t, 200, ask(t, base, request{body: toCompany, header: leaky}).status)
	}
	require.Equal(t, 400, ask(t, base, request{body: `{"title":"` + relayKey + `"}`, path: "/notifications?key=" + inboxKey}).status)
	require.Equal(t, 401, ask(t, base, request{body: toCompany, header: map[string]string{"Authorization": "Bearer " + server.APIKey()}}).status)

	basic := func(key string) map[string]string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth("anybody", key)
		return map[string]string{"Authorization": r.Header.Get("Authorization")}
	}
	for _, test := range []struct {
		method, path, key string
		status            int
		body              string
	}{
		{method: "GET", path: "/", key: inboxKey, status: 200, body: "<!doctype html>"},
		{method: "GET", path: "/_/openapi.yml", key: inboxKey, status: 200, body: "openapi:"},
		{method: "GET", path: "/", status: 401},
		{method: "GET", path: "/_/requests", status: 401},
		{method: "GET", path: "/_/events", key: relayKey, status: 401},
		{method: "GET", path: "/_/requests", key: server.APIKey(), status: 401},
		{method: "POST", path: "/_/script", key: inboxKey, status: 404},
		{method: "DELETE", path: "/_/requests", key: inboxKey, status: 405},
		{method: "GET", path: "/other", key: inboxKey, status: 404},
	} {
		header := map[string]string{"Authorization": ""}
		if test.key != "" {
			header = basic(test.key)
		}
		a := ask(t, root, request{method: test.method, path: test.path, header: header, body: `[{"status": 503}]`})
		require.Equal(t, test.status, a.status, "%+v", test)
		require.Contains(t, a.body, test.body)
		if test.status == 401 {
			require.Contains(t, a.header.Get("WWW-Authenticate"), "Basic")
		}
	}
	require.Equal(t, 401, ask(t, base, request{body: toCompany, header: basic(inboxKey)}).status, "the key of the page sends nothing")

	list := ask(t, root, request{method: "GET", path: "/_/requests", header: basic(inboxKey)}).body
	for _, want := range []string{
		`"id":1,`, `"idempotency_key":"k"`, `"queued":true`, `"replayed":true`, `"status":400`, `"status":401`,
		`"title":"********"`, `"content":"Invoice 7 is paid"`, `"error":"Invalid or missing API key: the relay wants its own as a bearer token, not Whop's."`,
	} {
		require.Contains(t, list, want)
	}
	for _, path := range []string{"/_/requests", "/_/requests/1", "/_/requests/3", "/_/requests/4", "/_/requests/5", "/_/queued"} {
		a := ask(t, root, request{method: "GET", path: path, header: basic(inboxKey)})
		require.Equal(t, 200, a.status, path)
		for _, secret := range []string{relayKey, inboxKey, server.APIKey(), "crumb", strings.TrimPrefix(basic(inboxKey)["Authorization"], "Basic ")} {
			require.NotContains(t, a.body, secret, path)
		}
	}

	// Who watches is told what comes, and does not hold up the end.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, root+"/_/events?since=4", nil)
	require.NoError(t, err)
	r.SetBasicAuth("anybody", inboxKey)
	events, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.NoError(t, err)
	defer events.Body.Close()
	lines := bufio.NewScanner(events.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	require.Contains(t, lines.Text(), `"id":5,`)
	asked := time.Now()
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	require.Less(t, time.Since(asked), 5*time.Second, "less than what is being answered may take")
	require.Contains(t, f.stderr, "page on "+root+"/, with the key of --inbox-key-file")
	require.NotContains(t, f.stdout+f.stderr, inboxKey)
}

func TestRelayHasNoPageWithoutItsKey(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p, base := relay(t, environment(server), "--state", filepath.Join(t.TempDir(), "relay"))
	for _, path := range []string{"/", "/_/requests", "/_/events"} {
		require.Equal(t, 404, ask(t, strings.TrimSuffix(base, "/api/v1"), request{method: "GET", path: path}).status, path)
	}
	p.signal(syscall.SIGTERM)
	require.NotContains(t, p.finish().stderr, "page on")

	short := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(short, []byte("fifteen-bytes-1"), 0o600))
	f := execute(t, environment(server), "relay", "--state", t.TempDir(), "--inbox-key-file", short)
	require.Equal(t, 2, f.code)
	require.Contains(t, f.stderr, "--inbox-key-file: the key has 15 bytes, under 16")
}
