package main_test

import (
	"regexp"
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
