package main_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	started := time.Now()
	// What the environment holds, for real sends, does not matter to it.
	f := execute(t, []string{
		"WHOP_BASE_URL=https://user:password@example.com", "WHOP_API_VERSION=1999-01-01",
		"http_proxy=http://127.0.0.1:1", "https_proxy=http://127.0.0.1:1",
	}, "demo")
	require.Zero(t, f.code, f.stderr)
	require.Empty(t, f.stderr)
	require.Less(t, time.Since(started), 10*time.Second)

	attempts := regexp.MustCompile(`attempt (\d)  (\d+) .*key ([0-9a-f-]{36})(  wait \d\.\d\d s)?\n`).FindAllStringSubmatch(f.stdout, -1)
	require.Len(t, attempts, 4, f.stdout)
	for i, want := range []struct {
		number, status string
		waits          bool
	}{{"1", "200", false}, {"1", "503", true}, {"2", "429", true}, {"3", "200", false}} {
		require.Equal(t, want.number, attempts[i][1])
		require.Equal(t, want.status, attempts[i][2])
		require.Equal(t, want.waits, attempts[i][4] != "")
	}
	require.NotEqual(t, attempts[0][3], attempts[1][3])
	require.Equal(t, attempts[1][3], attempts[2][3])
	require.Equal(t, attempts[1][3], attempts[3][3])
	require.Contains(t, f.stdout, "biz_demo")
	require.Contains(t, f.stdout, "exp_demo")
	require.Contains(t, f.stdout, "queued after 3 attempts")
	require.Contains(t, f.stdout, "got 4 requests and queued 2 notifications")
}

func TestDemoStaysForItsPage(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			p := start(t, nil, "demo", "--page")
			root := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(p.await("See them on "))
			exports := regexp.MustCompile(`WHOP_API_KEY=\S+|WHOP_BASE_URL=\S+`).FindAllString(p.await("export "), -1)
			require.Len(t, exports, 2)

			require.Contains(t, ask(t, root, request{method: http.MethodGet, path: "?"}).body, "<!doctype html>")
			require.Len(t, requestsOf(t, root), 4)
			f := execute(t, exports, sendArgs()...)
			require.Zero(t, f.code, f.stderr)
			require.Len(t, requestsOf(t, root), 5)

			// Somebody has the page open, which waits for what comes.
			events, err := http.Get(root + "_/events")
			require.NoError(t, err)
			defer events.Body.Close()
			p.signal(s)
			ended := p.finish()
			require.Zero(t, ended.code)
			require.Empty(t, ended.stderr)
		})
	}
}

// requestsOf is what an inbox has.
func requestsOf(t *testing.T, root string) (list []map[string]any) {
	t.Helper()
	a := ask(t, root, request{method: http.MethodGet, path: "_/requests"})
	require.Equal(t, 200, a.status, a.body)
	require.NoError(t, json.Unmarshal([]byte(a.body), &list))
	return list
}
