package main_test

import (
	"crypto/tls"
	"crypto/x509"
	bigendian "encoding/binary" // binary is the program
	"encoding/json"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const relayKey = "a-key-of-the-relay's-own"

// relay starts one on a free port and returns its base URL.
func relay(t *testing.T, env []string, args ...string) (*process, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(relayKey+"\n"), 0o600))
	p := start(t, env, append([]string{"relay", "--addr", "127.0.0.1:0", "--relay-key-file", file}, args...)...)
	line := p.await("listening on ")
	require.Regexp(t, `^listening on http://127\.0\.0\.1:[1-9]\d*/api/v1$`, line)
	return p, strings.TrimPrefix(line, "listening on ")
}

// request is one to a relay. Headers that are "" are left out.
type request struct {
	method, path string // below the base URL
	header       map[string]string
	body         string
}

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request, with the relay's key and as JSON unless it says otherwise.
func ask(t *testing.T, base string, q request) answer {
	t.Helper()
	if q.method == "" {
		q.method = http.MethodPost
	}
	if q.path == "" {
		q.path = "/notifications"
	}
	r, err := http.NewRequestWithContext(t.Context(), q.method, base+q.path, strings.NewReader(q.body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+relayKey)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range q.header {
		if r.Header.Set(name, value); value == "" {
			r.Header.Del(name)
		}
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return answer{resp.StatusCode, resp.Header, string(body)}
}

const (
	toCompany = `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`
	toAccount = `{"account_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`
	current   = "2026-09-25"
)

func TestRelayStoresAndSends(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p, base := relay(t, environment(server), "--state", filepath.Join(t.TempDir(), "relay"), "--rate-limit", "0")

	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		if r.IdempotencyKey == "refused" {
			return whoptest.Error(422, "", "Verify first.")
		}
		return whoptest.Serve()
	})
	a := ask(t, base, request{body: toCompany, header: map[string]string{"Idempotency-Key": "100% a/b"}})
	require.Equal(t, answer{200, a.header, `{"success":true}`}, a)
	require.Equal(t, "100% a/b", a.header.Get("Idempotency-Key"))
	require.Empty(t, a.header.Get("Idempotent-Replayed"))
	again := ask(t, base, request{body: toCompany, header: map[string]string{"Idempotency-Key": "100% a/b"}})
	require.Equal(t, answer{200, again.header, `{"success":true}`}, again)
	require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	other := ask(t, base, request{body: `{"company_id":"biz_1","title":"Paid","content":"Invoice 8 is paid"}`, header: map[string]string{"Idempotency-Key": "100% a/b"}})
	require.Equal(t, 400, other.status)
	require.Contains(t, other.body, `"code":"idempotency_key_mismatch"`)

	keyless := ask(t, base, request{body: toAccount, header: map[string]string{"Api-Version-Date": current}})
	require.Equal(t, 202, keyless.status)
	made := keyless.header.Get("Idempotency-Key")
	require.NotEmpty(t, made)
	require.Equal(t, 200, ask(t, base, request{body: toCompany, header: map[string]string{"Idempotency-Key": "refused"}}).status)

	for _, want := range []struct{ path, key, state, outcome string }{
		{"100%25%20a%2Fb", "100% a/b", "queued", ""},
		{"100%25%20a/b", "100% a/b", "queued", ""},
		{made, made, "queued", ""},
		{"refused", "refused", "dead", "rejected"},
	} {
		var found struct {
			Key        string    `json:"idempotency_key"`
			State      string    `json:"state"`
			Attempts   int       `json:"attempts"`
			Outcome    string    `json:"outcome"`
			Reason     string    `json:"reason"`
			EnqueuedAt time.Time `json:"enqueued_at"`
		}
		require.Eventually(t, func() bool {
			a := ask(t, base, request{method: "GET", path: "/notifications/" + want.path})
			return a.status == 200 && json.Unmarshal([]byte(a.body), &found) == nil && found.State == want.state
		}, patience, 50*time.Millisecond, want.path)
		require.Equal(t, want.key, found.Key)
		require.Equal(t, want.outcome, found.Outcome)
		require.Equal(t, want.outcome != "", strings.Contains(found.Reason, "Verify first."), found.Reason)
		require.Positive(t, found.Attempts)
		require.WithinDuration(t, time.Now(), found.EnqueuedAt, time.Minute)
	}
	unknown := ask(t, base, request{method: "GET", path: "/notifications/never"})
	require.Equal(t, 404, unknown.status)
	require.Contains(t, unknown.body, `"type":"not_found"`)

	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	require.Equal(t, "listening on "+base+"\n", f.stdout)
	require.NotContains(t, f.stderr, relayKey)
	require.Len(t, server.Queued(), 2)
}

// What was answered before a kill is sent after it, once, also where it is repeated.
func TestRelayGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	state := filepath.Join(t.TempDir(), "relay")
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(503, "", "Later.") })
	p, base := relay(t, environment(server), "--state", state, "--rate-limit", "0", "--max-attempts", "1")
	first := request{body: toCompany, header: map[string]string{"Idempotency-Key": "first"}}
	require.Equal(t, 200, ask(t, base, first).status)
	p.kill()
	require.Empty(t, server.Queued())

	server.ScriptFunc(nil)
	p, base = relay(t, environment(server), "--state", state, "--rate-limit", "0")
	a := ask(t, base, first)
	require.Equal(t, 200, a.status)
	require.Equal(t, "true", a.header.Get("Idempotent-Replayed"))
	require.Eventually(t, func() bool { return len(server.Queued()) == 1 }, patience, 20*time.Millisecond)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
	require.Len(t, server.Queued(), 1)
}

// Relays that only take in share their keys over NATS. While it is away, nothing is a success.
func TestRelaysOverNATS(t *testing.T) {
	t.Parallel()
	hub := startNATS(t)
	q := hub.open()
	args := []string{"--nats", hub.url(), "--no-work"}
	one, first := relay(t, nil, args...)
	two, second := relay(t, nil, args...)
	r := request{body: toCompany, header: map[string]string{"Idempotency-Key": "k"}}
	require.Equal(t, 200, ask(t, first, r).status)
	require.Equal(t, "true", ask(t, second, r).header.Get("Idempotent-Replayed"))
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, stats.Waiting)

	hub.kill()
	r.header["Idempotency-Key"] = "while away"
	for _, r := range []request{r, {body: toCompany}, {method: "GET", path: "/notifications/k"}} {
		a := ask(t, first, r)
		require.Equal(t, 503, a.status, a.body)
		require.Equal(t, "2", a.header.Get("Retry-After"))
		require.Contains(t, a.body, `"type":"service_unavailable"`)
	}
	hub.start()
	require.Eventually(t, func() bool { return ask(t, first, r).status == 200 }, patience, 100*time.Millisecond)
	for _, p := range []*process{one, two} {
		p.signal(syscall.SIGTERM)
		require.Zero(t, p.finish().code)
	}
}

func TestRelayEndsWhereWhopRefusesItsKey(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p, base := relay(t, []string{"WHOP_BASE_URL=" + server.URL(), "WHOP_API_KEY=wrong"}, "--state", filepath.Join(t.TempDir(), "relay"), "--rate-limit", "0")
	require.Equal(t, 200, ask(t, base, request{body: toCompany}).status)
	f := p.finish()
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, "401 Unauthorized")
	require.Contains(t, f.stderr, "Nothing is lost")
}

// Beyond loopback it wants TLS, and has it.
func TestRelayOverTLS(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	a := newAuthority(t)
	a.issue("relay")
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(relayKey), 0o600))
	p := start(t, environment(server), "relay", "--addr", "0.0.0.0:0", "--relay-key-file", file, "--state", filepath.Join(t.TempDir(), "relay"),
		"--tls-cert", a.file("relay.pem"), "--tls-key", a.file("relay.key"))
	line := p.await("listening on ")
	require.Regexp(t, `^listening on https://127\.0\.0\.1:[1-9]\d*/api/v1$`, line)
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	for _, h2 := range []bool{false, true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: h2}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.TrimPrefix(line, "listening on ")+"/notifications", strings.NewReader(toCompany))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+relayKey)
		r.Header.Set("Content-Type", "application/json")
		resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		transport.CloseIdleConnections()
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, h2, resp.ProtoMajor == 2)
	}
	require.EqualValues(t, 20, streamsOf(t, strings.TrimSuffix(strings.TrimPrefix(line, "listening on https://"), "/api/v1"), &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}}))
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
}

// streamsOf is how many requests at a time a server takes on a connection of HTTP/2, as the
// settings say that it sends first.
func streamsOf(t *testing.T, address string, config *tls.Config) uint32 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, config)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
	require.NoError(t, err)
	head := make([]byte, 9)
	_, err = io.ReadFull(conn, head)
	require.NoError(t, err)
	require.EqualValues(t, 4, head[3], "a frame of settings")
	settings := make([]byte, bigendian.BigEndian.Uint32(head)>>8)
	_, err = io.ReadFull(conn, settings)
	require.NoError(t, err)
	for one := range slices.Chunk(settings, 6) {
		if bigendian.BigEndian.Uint16(one) == 3 {
			return bigendian.BigEndian.Uint32(one[2:])
		}
	}
	return math.MaxUint32
}

// A client that does not send its request to the end holds up no end for long.
func TestRelayStopsWithConnectionsOpen(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p, base := relay(t, environment(server), "--state", filepath.Join(t.TempDir(), "relay"))
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api/v1"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+relayKey+"\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond)
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
}

func TestRelayMakesAKey(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p := start(t, environment(server), "relay", "--addr", "127.0.0.1:0", "--state", filepath.Join(t.TempDir(), "relay"))
	base := strings.TrimPrefix(p.await("listening on "), "listening on ")
	said := regexp.MustCompile(`accepting the relay key (relay_\w{26})\n`)
	require.Eventually(t, func() bool { return said.MatchString(p.stderr.String()) }, patience, 10*time.Millisecond)
	key := said.FindStringSubmatch(p.stderr.String())[1]
	require.Equal(t, 200, ask(t, base, request{body: toCompany, header: map[string]string{"Authorization": "Bearer " + key}}).status)
	require.Equal(t, 401, ask(t, base, request{body: toCompany}).status)
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code)
	require.Equal(t, 1, strings.Count(f.stderr, key))
}
