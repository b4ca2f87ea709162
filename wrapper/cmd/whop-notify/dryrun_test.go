package main_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// A dry run shows what the real run then sends, header by header.
func TestDryRunShowsTheExactRequestAndSendsNothing(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	args := append(slices.DeleteFunc(sendArgs(), func(a string) bool { return a == "--everybody" }), "--user", "user_1", "--idempotency-key", "invoice-7", "--subtitle", "<&>")
	shown := execute(t, environment(server), append(args, "--dry-run")...)
	require.Zero(t, shown.code)
	require.Empty(t, server.Requests())
	require.Equal(t, "dry run: nothing was sent\n", shown.stderr)
	require.True(t, strings.HasPrefix(shown.stdout, "POST "+server.URL()+"/notifications\n"), shown.stdout)
	require.Contains(t, shown.stdout, "\nAuthorization: Bearer ********\n")

	require.Zero(t, execute(t, environment(server), args...).code)
	real := server.Requests()[0]
	head, body, _ := strings.Cut(strings.SplitN(shown.stdout, "\n", 2)[1], "\n\n")
	require.Equal(t, string(real.Body)+"\n", body)
	parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader("POST / HTTP/1.1\r\n" + strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + body)))
	require.NoError(t, err)
	require.Equal(t, int64(len(real.Body)), parsed.ContentLength)
	real.Header.Set("Authorization", "Bearer ********")
	require.Equal(t, real.Header, parsed.Header)
	require.Equal(t, strings.TrimSuffix(strings.TrimPrefix(server.URL(), "http://"), "/api/v1"), parsed.Host)
}

func TestDryRunForPrograms(t *testing.T) {
	t.Parallel()
	f := execute(t, []string{"WHOP_API_KEY=a-secret-that-stays-one"}, sendArgs("--dry-run", "--output", "json")...)
	require.Zero(t, f.code)
	var shown struct {
		DryRun  bool `json:"dry_run"`
		Request struct {
			Method, URL string
			Headers     map[string]string
			Body        map[string]string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(f.stdout), &shown))
	require.True(t, shown.DryRun)
	require.Equal(t, "https://api.whop.com/api/v1/notifications", shown.Request.URL)
	require.Equal(t, "POST", shown.Request.Method)
	require.Equal(t, "2026-07-20", shown.Request.Headers["Api-Version-Date"])
	require.Equal(t, "Bearer ********", shown.Request.Headers["Authorization"])
	require.Equal(t, "biz_1", shown.Request.Body["company_id"])
	require.NotEmpty(t, shown.Request.Headers["Idempotency-Key"])
	require.Contains(t, f.stderr, "the idempotency key is random")
}

func TestDryRunNeedsNoKeyAndSaysThatASendDoes(t *testing.T) {
	t.Parallel()
	f := execute(t, nil, sendArgs("--dry-run", "--api-version", "none")...)
	require.Zero(t, f.code)
	require.NotContains(t, f.stdout, "Api-Version-Date")
	require.Contains(t, f.stderr, "there is no API key")
}

func TestDryRunChecksTheNotification(t *testing.T) {
	t.Parallel()
	f := execute(t, nil, sendArgs("--dry-run", "--rest-path", "settings")...)
	require.Equal(t, 2, f.code)
	require.Empty(t, f.stdout)
}
