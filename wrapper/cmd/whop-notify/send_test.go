package main_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// result is what --output json promises to programs.
type result struct {
	Outcome        string  `json:"outcome"`
	IdempotencyKey string  `json:"idempotency_key"`
	Attempts       int     `json:"attempts"`
	Status         int     `json:"status"`
	RequestID      string  `json:"request_id"`
	Replayed       *bool   `json:"replayed"`
	RetryAfter     float64 `json:"retry_after"`
	Error          *struct {
		Message, Type, Code, Param string
		Retryable                  bool
	} `json:"error"`
}

func parse(t *testing.T, stdout string) result {
	t.Helper()
	var r result
	require.NoError(t, json.Unmarshal([]byte(stdout), &r), stdout)
	require.NotNil(t, r.Replayed)
	return r
}

func TestSendToACompany(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	f := execute(t, environment(server), sendArgs()...)

	require.Zero(t, f.code)
	require.Empty(t, f.stderr)
	require.Len(t, server.Queued(), 1)
	got := server.Queued()[0]
	require.JSONEq(t, `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`, string(got.Body))
	require.Regexp(t, `^whop-notify/\S+ whopnotify/\S+ \(go`, got.Header.Get("User-Agent"))
	require.Equal(t, "queued: Whop has taken the notification for delivery\n"+
		"  idempotency key  "+got.IdempotencyKey+"\n  attempts         1\n  last status      200 OK\n", f.stdout)
}

func TestSendToUsersOfAnExperienceWithEveryField(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	f := execute(t, environment(server), "send", "--experience", "exp_1", "--title", "Class at six", "--content", "Räume 1 & 2",
		"--user", "user_1", "--user", "user_2", "--subtitle", "Today", "--rest-path", "/bookings?id=7", "--icon-user", "user_3",
		"--idempotency-key", "class-7", "--output", "json", "--api-version", "2025-01-01")

	require.Zero(t, f.code, f.stderr)
	require.Len(t, server.Queued(), 1)
	got := server.Queued()[0]
	require.JSONEq(t, `{"experience_id":"exp_1","title":"Class at six","content":"Räume 1 & 2","user_ids":["user_1","user_2"],
		"subtitle":"Today","rest_path":"/bookings?id=7","icon_user_id":"user_3"}`, string(got.Body))
	require.Equal(t, "2025-01-01", got.Header.Get("Api-Version-Date"))
	r := parse(t, f.stdout)
	require.Equal(t, "queued", r.Outcome)
	require.Equal(t, "class-7", r.IdempotencyKey)
	require.Equal(t, 1, r.Attempts)
	require.Equal(t, 200, r.Status)
	require.False(t, *r.Replayed)
	require.Nil(t, r.Error)
}

func TestSendSaysThatItWasQueuedBefore(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	require.Zero(t, execute(t, environment(server), sendArgs("--idempotency-key", "once")...).code)

	f := execute(t, environment(server), sendArgs("--idempotency-key", "once")...)
	require.Zero(t, f.code)
	require.Contains(t, f.stdout, "had it already under this key")
	require.True(t, *parse(t, execute(t, environment(server), sendArgs("--idempotency-key", "once", "-o", "json")...).stdout).Replayed)
	require.Len(t, server.Queued(), 1)
}

func TestSendRetriesAndLogsAttempts(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", "Busy"), whoptest.RateLimitedAfter(10*time.Millisecond))
	f := execute(t, environment(server), sendArgs("--verbose", "--output", "json")...)

	require.Zero(t, f.code)
	r := parse(t, f.stdout)
	require.Equal(t, 3, r.Attempts)
	require.Len(t, server.Queued(), 1)
	for _, line := range []string{"attempt=1 .*status=503.*retry_in=", "attempt=2 .*status=429.*retry_in=", "attempt=3 .*status=200"} {
		require.Regexp(t, line, f.stderr)
	}
}

// Each way a send fails: its exit code, its outcome, and what the user is told to do.
func TestSendFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply   whoptest.Reply
		code    int
		outcome string
		status  int
		says    string
	}{
		"bad request":    {whoptest.Error(400, "parameter_invalid", "No."), 1, "rejected", 400, "change it first"},
		"unauthorized":   {whoptest.Error(401, "", "No."), 1, "rejected", 401, "Check the key"},
		"forbidden":      {whoptest.Error(403, "", "No."), 1, "rejected", 403, "notification:create"},
		"not found":      {whoptest.Error(404, "", "No."), 1, "rejected", 404, "Check the id"},
		"verification":   {whoptest.Error(422, "", "No."), 1, "rejected", 422, "wants something verified first"},
		"gone":           {whoptest.Error(410, "", "No."), 1, "rejected", 410, "choose a newer one with --api-version"},
		"mismatch":       {whoptest.Error(400, "idempotency_key_mismatch", "No."), 1, "rejected", 400, "give a new"},
		"rate limited":   {whoptest.RateLimited(30 * time.Second), 1, "rejected", 429, "again in 30s"},
		"redirect":       {whoptest.Raw(302, "text/html", "").WithHeader("Location", "/login"), 1, "rejected", 302, "--base-url"},
		"success: false": {whoptest.NotQueued(), 1, "rejected", 200, "does not say why"},
		"server error":   {whoptest.Error(500, "", "Oops."), 3, "unknown", 500, "--idempotency-key "},
		"html":           {whoptest.Raw(502, "text/html", "<h1>Bad\x1b[31m gateway</h1>"), 3, "unknown", 502, "within 24 hours"},
		"truncated":      {whoptest.Truncate(), 3, "unknown", 200, "may have been queued"},
		"reset":          {whoptest.Reset().AfterQueueing(), 3, "unknown", 0, "may have been queued"},
		"stall":          {whoptest.Stall().AfterQueueing(), 3, "unknown", 0, "within the attempt's 1s"},
		"garbage":        {whoptest.Garbage([]byte("\x00\x1b]0;x\x07\r\n\r\n")), 3, "unknown", 0, "may have been queued"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.Script(c.reply)
			timeout := "30s"
			if name == "stall" {
				timeout = "1s"
			}
			f := execute(t, environment(server), sendArgs("--max-attempts", "1", "--attempt-timeout", timeout, "--output", "json")...)
			require.Equal(t, c.code, f.code)
			require.Contains(t, f.stderr, c.says)
			require.NotContains(t, f.stderr, "\x1b")
			r := parse(t, f.stdout)
			require.Equal(t, c.outcome, r.Outcome)
			require.Equal(t, c.status, r.Status)
			require.Equal(t, 1, r.Attempts)
			require.NotEmpty(t, r.Error.Message)
			require.Equal(t, server.Requests()[0].IdempotencyKey, r.IdempotencyKey)
		})
	}
}

// Under a key of the user's an earlier run may be in doubt, so the key is kept until Whop
// itself shows that nothing was queued under it.
func TestAdviceForAKeyOfTheUsers(t *testing.T) {
	t.Parallel()
	replay := func(r whoptest.Reply) whoptest.Reply { return r.WithHeader("Idempotent-Replayed", "true") }
	for _, test := range []struct {
		name  string
		reply whoptest.Reply
		spent bool
	}{
		{name: "bad request", reply: whoptest.Error(400, "", "No.")},
		{name: "unauthorized", reply: whoptest.Error(401, "", "No.")},
		{name: "forbidden", reply: whoptest.Error(403, "", "No.")},
		{name: "verification", reply: whoptest.Error(422, "", "No.")},
		{name: "mismatch", reply: whoptest.Error(400, "idempotency_key_mismatch", "No.")},
		{name: "redirect", reply: whoptest.Raw(302, "text/html", "")},
		{name: "not queued", reply: whoptest.NotQueued()},
		{name: "rate limited", reply: whoptest.RateLimited(30 * time.Second)},
		{name: "forbidden before", reply: replay(whoptest.Error(403, "", "No.")), spent: true},
		{name: "rate limited before", reply: replay(whoptest.RateLimited(30 * time.Second)), spent: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			f := execute(t, environment(server), sendArgs("--max-attempts", "1", "--idempotency-key", "mine")...)
			require.Equal(t, 1, f.code)
			if test.spent {
				require.Contains(t, f.stderr, "give another --idempotency-key")
				require.NotContains(t, f.stderr, "the same command again")
				return
			}
			require.NotRegexp(t, `(another|new) --idempotency-key`, f.stderr)
			require.Regexp(t, `Keep the --idempotency-key|do not send it again`, f.stderr)
			require.NotContains(t, f.stderr, "Nothing was queued")
		})
	}
}

// A wait that is too long is said without the package's name for its bound.
func TestTooLongAWaitIsSaidInTheCommandsWords(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.RateLimited(2 * time.Hour))
	f := execute(t, environment(server), sendArgs("--output", "json")...)
	require.Equal(t, 1, f.code)
	const words = "no retry: the wait is over the 1m0s that this command waits at most"
	require.Contains(t, f.stderr, words)
	require.Contains(t, parse(t, f.stdout).Error.Message, words)
	require.NotContains(t, f.stdout+f.stderr, "RetryPolicy")
}

func TestSendShowsWhopsErrorToPrograms(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(
		whoptest.Error(403, "missing_permission", "No permission.").WithHeader("X-Request-Id", "req_7"),
		whoptest.RateLimitedAfter(90*time.Second),
	)
	r := parse(t, execute(t, environment(server), sendArgs("--output", "json")...).stdout)
	require.Equal(t, "forbidden", r.Error.Type)
	require.Equal(t, "missing_permission", r.Error.Code)
	require.Contains(t, r.Error.Message, "No permission.")
	require.Equal(t, "req_7", r.RequestID)
	require.False(t, r.Error.Retryable)

	r = parse(t, execute(t, environment(server), sendArgs("--output", "json")...).stdout)
	require.InDelta(t, 90.0, r.RetryAfter, 0)
	require.True(t, r.Error.Retryable)
}

func TestSendThatCannotConnectIsNotSent(t *testing.T) {
	t.Parallel()
	f := execute(t, []string{"WHOP_API_KEY=test-key-of-no-use", "WHOP_BASE_URL=http://127.0.0.1:1/api/v1"}, sendArgs("--max-attempts", "1")...)
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stdout, "not sent: ")
	require.Contains(t, f.stderr, "safe to run the same command again")
}

// What the advice after an unknown outcome promises.
func TestTheKeyOfAnUnknownOutcomeMakesAnotherRunSafe(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Reset().AfterQueueing())
	first := execute(t, environment(server), sendArgs("--output", "json", "--at-most-once")...)
	require.Equal(t, 3, first.code)
	key := parse(t, first.stdout).IdempotencyKey
	require.Contains(t, first.stderr, "--idempotency-key "+key)

	again := execute(t, environment(server), sendArgs("--output", "json", "--idempotency-key", key)...)
	require.Zero(t, again.code)
	require.True(t, *parse(t, again.stdout).Replayed)
	require.Len(t, server.Queued(), 1)
}

func TestTheTimeoutIsOverAllAttempts(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Stall())
	f := execute(t, environment(server), sendArgs("--timeout", "1s")...)
	require.Equal(t, 3, f.code)
	require.Contains(t, f.stderr, "the --timeout of 1s is over")
	require.Len(t, server.Requests(), 1)
}

func TestTheKeyComesFromAFile(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	for name, content := range map[string]string{
		"plain": server.APIKey(), "newline": server.APIKey() + "\n", "crlf": server.APIKey() + "\r\n",
	} {
		file := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		f := execute(t, []string{"WHOP_BASE_URL=" + server.URL(), "WHOP_API_KEY=wrong-key-in-environment"}, sendArgs("--api-key-file", file)...)
		require.Zero(t, f.code, "%s: %s", name, f.stderr)
	}
}

func TestTheProxyOfTheEnvironmentIsUsed(t *testing.T) {
	t.Parallel()
	server, err := whoptest.New()
	require.NoError(t, err)
	defer server.Close()
	proxied := make(chan string, 1)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied <- r.URL.Host
		server.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	f := execute(t, []string{"WHOP_API_KEY=" + server.APIKey(), "HTTP_PROXY=" + proxy.URL},
		sendArgs("--insecure-http", "--base-url", "http://whop.invalid/api/v1")...)
	require.Equal(t, 0, f.code, f.stderr)
	require.Equal(t, "whop.invalid", <-proxied)
	require.Len(t, server.Queued(), 1)
}
