package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// serve starts the stand-in on a free port and returns its base URL.
func serve(t *testing.T, env []string, args ...string) (*process, string) {
	t.Helper()
	p := start(t, env, append([]string{"serve", "--addr", "127.0.0.1:0"}, args...)...)
	line := p.await("listening on ")
	require.Regexp(t, `^listening on http://127\.0\.0\.1:[1-9]\d*/api/v1$`, line)
	return p, strings.TrimPrefix(line, "listening on ")
}

func client(t *testing.T, base, key string) *whop.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := whop.NewClient(whop.WithBaseURL(base), whop.WithAPIKey(key), whop.WithAPIVersion(whop.DefaultAPIVersion),
		whop.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)
	return c
}

var paid = whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})

func TestServeIsAStandIn(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			const key = "local-test-key"
			p, base := serve(t, []string{"WHOP_API_KEY=" + key})
			receipt, err := client(t, base, key).Send(t.Context(), paid.WithIdempotencyKey("7-with-"+key))
			require.NoError(t, err)
			require.Equal(t, 1, receipt.Attempts)
			_, err = client(t, base, "another-key").Send(t.Context(), paid)
			require.ErrorIs(t, err, whop.ErrUnauthorized)
			p.signal(s)
			f := p.finish()

			require.Zero(t, f.code)
			require.Equal(t, "listening on "+base+"\n", f.stdout)
			lines := strings.Split(strings.TrimSpace(f.stderr), "\n")
			require.Len(t, lines, 3, f.stderr)
			require.Equal(t, "page on "+strings.TrimSuffix(base, "api/v1"), lines[0])
			require.Regexp(t, `method=POST path=/api/v1/notifications status=200 idempotency_key=7-with-\*+$`, lines[1])
			require.Regexp(t, `^time=\S+ msg=request status=401 reason="Invalid or missing API key"$`, lines[2])
			require.NotContains(t, f.stderr, "another-key")
		})
	}
}

// Whoever reads the log may go away, or stop reading: requests are served all the same.
func TestServeGoesOnWhenNobodyReadsItsLog(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		reader func(*os.File) error
	}{
		{name: "reader gone", reader: (*os.File).Close},
		{name: "reader hangs", reader: func(*os.File) error { return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reader, log, err := os.Pipe()
			require.NoError(t, err)
			defer reader.Close()
			defer log.Close()
			cmd := exec.CommandContext(t.Context(), binary, "serve", "--addr", "127.0.0.1:0", "--api-key", "local-test-key")
			cmd.Stderr = log
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			first, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			base := strings.TrimSpace(strings.TrimPrefix(first, "listening on "))
			require.NoError(t, test.reader(reader))

			const long = 4 << 10 // a line of the log; a pipe holds 64 KiB
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for range 40 {
				answer, err := (&http.Client{Transport: transport, Timeout: patience}).Get(base + "/" + strings.Repeat("x", long))
				require.NoError(t, err)
				require.NoError(t, answer.Body.Close())
			}
			_, err = client(t, base, "local-test-key").Send(t.Context(), paid)
			require.NoError(t, err)
			require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			require.NoError(t, cmd.Wait())
		})
	}
}

func TestServeStopsWithConnectionsOpen(t *testing.T) {
	t.Parallel()
	p, base := serve(t, nil)
	conn, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/api/v1"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("POST /api/v1/notifications HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"))
	require.NoError(t, err)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
}

func TestServeTakesItsKey(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("key-in-a-file\n"), 0o600))
	for name, c := range map[string]struct {
		env, args []string
		key       string
	}{
		"flag before environment": {[]string{"WHOP_API_KEY=environment"}, []string{"--api-key", "flag-key"}, "flag-key"},
		"file before environment": {[]string{"WHOP_API_KEY=environment"}, []string{"--api-key-file", file}, "key-in-a-file"},
	} {
		t.Run(name, func(t *testing.T) {
			p, base := serve(t, c.env, c.args...)
			_, err := client(t, base, c.key).Send(t.Context(), paid)
			require.NoError(t, err)
			p.signal(syscall.SIGTERM)
			f := p.finish()
			require.Zero(t, f.code)
			require.NotContains(t, f.stdout+f.stderr, c.key)
		})
	}
	t.Run("random", func(t *testing.T) {
		p := start(t, nil, "serve", "--addr", "127.0.0.1:0")
		p.await("listening on ")
		p.signal(syscall.SIGTERM)
		f := p.finish()
		key := regexp.MustCompile(`accepting the API key (test_\w+)\n`).FindStringSubmatch(f.stderr)
		require.NotNil(t, key, f.stderr)
		require.NotContains(t, f.stdout, key[1])
	})
}

func TestServeFailsAsAsked(t *testing.T) {
	t.Parallel()
	p, base := serve(t, nil, "--api-key", "local-test-key", "--fail", "503,422", "--rate-limit", "1")
	c := client(t, base, "local-test-key")
	_, err := c.Send(t.Context(), paid)
	require.ErrorIs(t, err, whop.ErrVerificationRequired) // after the 503
	receipt, err := c.Send(t.Context(), paid)
	require.NoError(t, err)
	require.Equal(t, 1, receipt.Attempts)

	once, err := whop.NewClient(whop.WithBaseURL(base), whop.WithAPIKey("local-test-key"),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}), whop.WithHTTPClient(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}))
	require.NoError(t, err)
	_, err = once.Send(t.Context(), paid)
	require.ErrorIs(t, err, whop.ErrRateLimited)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
}

// The pin is for requests without a date; a date of their own overrides it.
func TestServePinsAPIVersion(t *testing.T) {
	for _, pin := range []struct {
		args   []string
		body   string
		status int
	}{
		{body: `{"company_id":"biz_1","title":"T","content":"C"}`, status: 200},
		{args: []string{"--api-version", "2026-09-22-3"}, body: `{"account_id":"biz_1","title":"T","content":"C"}`, status: 202},
	} {
		p, base := serve(t, nil, append(pin.args, "--api-key", "local-test-key")...)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/notifications", strings.NewReader(pin.body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer local-test-key")
		r.Header.Set("Content-Type", "application/json")
		transport := &http.Transport{}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		transport.CloseIdleConnections()
		require.Equal(t, pin.status, resp.StatusCode)
		_, err = client(t, base, "local-test-key").Send(t.Context(), paid) // names its version
		require.NoError(t, err)
		p.signal(syscall.SIGTERM)
		require.Zero(t, p.finish().code)
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--addr=8080", 2, "is not HOST:PORT"},
		{"--addr=127.0.0.1:99999", 2, "invalid port"},
		{"--addr=" + taken.Addr().String(), 1, "address already in use\nChoose another address with --addr"},
		{"--api-key=", 2, "--api-key is empty"},
		{"--api-key=k --api-key-file=f", 2, "exclude each other"},
		{"--api-key=\x01", 2, "--api-key: the key has a character"},
		{"--api-key-file=no-such-file", 2, "no such file"},
		{"--rate-limit=-1", 2, "--rate-limit -1 is negative"},
		{"--keep=0", 2, "--keep 0 is under 1"},
		{"--api-version=2026-07-21", 2, `--api-version "2026-07-21" is not a version of Whop's API: one of 2025-01-01, `},
		{"--api-version=", 2, "--api-version is empty"},
		{"--fail=200", 2, "200 is not the status of an error"},
		{"--fail=often", 2, "invalid argument"},
		{"here", 2, `unexpected argument "here"`},
	} {
		t.Run(c.args, func(t *testing.T) {
			f := execute(t, nil, append([]string{"serve"}, strings.Fields(c.args)...)...)
			require.Equal(t, c.code, f.code)
			require.Contains(t, f.stderr, c.says)
			require.Empty(t, f.stdout)
		})
	}
}

// A program in any language reads and scripts what the stand-in got: without a key where
// no other machine reaches it, else with its key.
func TestServeTellsWhatItGot(t *testing.T) {
	t.Parallel()
	const key = "local-test-key"
	for _, test := range []struct {
		name, addr string
		header     map[string]string
		status     int
	}{
		{name: "loopback", addr: "127.0.0.1:0", status: 200},
		{name: "loopback, by a rebound name", addr: "127.0.0.1:0", header: map[string]string{"Host": "attacker.example"}, status: 403},
		{name: "loopback, from another page", addr: "127.0.0.1:0", header: map[string]string{"Sec-Fetch-Site": "cross-site"}, status: 403},
		{name: "all interfaces", addr: "0.0.0.0:0", status: 401},
		{name: "all interfaces, a wrong key", addr: "0.0.0.0:0", header: map[string]string{"Authorization": "Bearer another-key"}, status: 401},
		{name: "all interfaces, the key", addr: "0.0.0.0:0", header: map[string]string{"Authorization": "Bearer " + key, "Host": "stand-in:8080"}, status: 200},
		{name: "all interfaces, the password", addr: ":0", header: map[string]string{"Authorization": "Basic OmxvY2FsLXRlc3Qta2V5"}, status: 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, base := serve(t, []string{"WHOP_API_KEY=" + key}, "--addr", test.addr)
			_, err := client(t, base, key).Send(t.Context(), paid.WithIdempotencyKey("invoice-7"))
			require.NoError(t, err)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSuffix(base, "api/v1")+"_/queued", nil)
			require.NoError(t, err)
			for name, value := range test.header {
				r.Header.Set(name, value)
				if name == "Host" {
					r.Host = value
				}
			}
			resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, test.status, resp.StatusCode, "%s", body)
			require.Equal(t, test.status == 200, strings.Contains(string(body), `"invoice-7"`), "%s", body)
			p.signal(syscall.SIGTERM)
			require.Zero(t, p.finish().code)
		})
	}
}
