package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// content returns the text by which a test recognizes a notification.
func content(i int) string { return fmt.Sprintf("Invoice %d is paid", i) }

// fileOf has n notifications; every third has a key of its own.
func fileOf(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		own := ""
		if i%3 == 0 {
			own = fmt.Sprintf(`,"idempotency_key":"invoice-%d"`, i)
		}
		fmt.Fprintf(&b, `{"company_id":"biz_1","title":"Paid","content":%q%s}`+"\n", content(i), own)
	}
	name := filepath.Join(t.TempDir(), "paid.ndjson")
	require.NoError(t, os.WriteFile(name, []byte(b.String()), 0o600))
	return name
}

// delivered counts how often Whop would have delivered each content.
func delivered(t *testing.T, server *whoptest.Server) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for _, r := range server.Queued() {
		var n struct{ Content string }
		require.NoError(t, json.Unmarshal(r.Body, &n))
		counts[n.Content]++
	}
	return counts
}

func onceEach(t *testing.T, server *whoptest.Server, n int) {
	t.Helper()
	counts := delivered(t, server)
	require.Len(t, counts, n)
	for content, times := range counts {
		require.Equal(t, 1, times, content)
	}
}

// deadResult is what --output json promises of a dead letter.
type deadResult struct {
	ID             uint64
	Line           uint64
	Outcome        string
	IdempotencyKey string `json:"idempotency_key"`
	Reason         string
	Notification   struct{ Content string }
	FirstAttempt   *time.Time `json:"first_attempt"`
}

// summary is what --output json promises of a batch.
type summary struct {
	Notifications, Everybody, Queued, Rejected, Unknown int
	NotSent                                             int `json:"not_sent"`
	ToGo                                                int `json:"to_go"`
	Dropped, Lost                                       int
	Done                                                bool
}

func parseBatch(t *testing.T, stdout string) (letters []deadResult, s summary) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	for _, line := range lines[:len(lines)-1] {
		letters = append(letters, parseAs[deadResult](t, line))
	}
	return letters, parseAs[summary](t, lines[len(lines)-1])
}

func parseAs[T any](t *testing.T, line string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(line), &v), line)
	return v
}

func TestBatchSendsEveryLineOnce(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 100)
	f := execute(t, environment(server), "batch", file, "--rate-limit", "0")
	require.Zero(t, f.code, f.stderr)
	const done = "all queued: Whop has taken 100 of 100 notifications for delivery\n"
	require.Equal(t, done, f.stdout)
	require.Equal(t, "100 of 100 notifications: to everybody in the target\n0 of 100\n", f.stderr)
	onceEach(t, server, 100)
	require.Equal(t, []string{"batch.json", "ledger", "lock", "queue", "status.json"}, filesIn(t, file+".state"))

	// A batch that is done stays done.
	f = execute(t, environment(server), "batch", file)
	require.Zero(t, f.code, f.stderr)
	require.Regexp(t, `^already done on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \w+: `+done+`$`, f.stdout)
	require.Empty(t, f.stderr)
	f = execute(t, environment(server), "batch", file, "--output", "json")
	require.Zero(t, f.code, f.stderr)
	_, s := parseBatch(t, f.stdout)
	require.Equal(t, summary{Notifications: 100, Everybody: 100, Queued: 100, Done: true}, s)
	require.Len(t, server.Requests(), 100)
}

// A batch so small that it is over before anybody counts is no store that lost something.
func TestSmallBatches(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	for n := 1; n <= 4; n++ {
		f := execute(t, environment(server), "batch", fileOf(t, n), "--rate-limit", "0")
		require.Zero(t, f.code)
		require.Regexp(t, `^\d of \d notifications?: to everybody in the target\n0 of \d\n$`, f.stderr)
	}
}

func TestBatchTellsWhatFailed(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		switch r.IdempotencyKey {
		case "invoice-3":
			return whoptest.Error(422, "", "Verify first.")
		case "invoice-6":
			return whoptest.Error(500, "", "No.").WithHeader("X-Should-Retry", "false")
		}
		return whoptest.Serve()
	})
	file := fileOf(t, 10)
	f := execute(t, environment(server), "batch", file, "--rate-limit", "0", "--output", "json")
	require.Equal(t, 3, f.code, f.stderr)
	letters, s := parseBatch(t, f.stdout)
	require.Equal(t, summary{Notifications: 10, Everybody: 10, Queued: 8, Rejected: 1, Unknown: 1, Done: true}, s)
	byKey := map[string]deadResult{}
	for _, l := range letters {
		byKey[l.IdempotencyKey] = l
	}
	refused := byKey["invoice-3"]
	require.Equal(t, "rejected", refused.Outcome)
	require.EqualValues(t, 4, refused.Line)
	require.Equal(t, content(3), refused.Notification.Content)
	require.Contains(t, refused.Reason, "Verify first.")
	require.Nil(t, refused.FirstAttempt)
	require.Equal(t, "unknown", byKey["invoice-6"].Outcome)
	require.NotNil(t, byKey["invoice-6"].FirstAttempt)
	state := file + ".state"
	require.Contains(t, f.stderr, "whop-notify dead list --state "+state)

	// The dead letters, one by one.
	list := execute(t, nil, "dead", "list", "--state", state)
	require.Zero(t, list.code, list.stderr)
	require.Equal(t, 3, strings.Count(list.stdout, "\n"))
	require.Contains(t, list.stdout, "invoice-3")
	id := fmt.Sprint(refused.ID)
	show := execute(t, nil, "dead", "show", id, "--state", state)
	require.Zero(t, show.code)
	require.Contains(t, show.stdout, "outcome          rejected\n")
	require.Contains(t, show.stdout, `"content":"Invoice 3 is paid"`)
	drop := execute(t, nil, "dead", "drop", id, "--state", state)
	require.Equal(t, finished{0, "dead letter " + id + ": dropped\n", ""}, drop)
	drop = execute(t, nil, "dead", "drop", id, "--state", state)
	require.Equal(t, 1, drop.code)
	require.Contains(t, drop.stderr, "no such dead letter: "+id)

	// The one in doubt is retried under its key.
	server.ScriptFunc(nil)
	retry := execute(t, nil, "dead", "retry", "--all", "--state", state, "--output", "json")
	require.Zero(t, retry.code)
	require.Contains(t, retry.stdout, `"settled":"retried","idempotency_key":"invoice-6"`)
	f = execute(t, environment(server), "batch", file, "--output", "json")
	require.Equal(t, 1, f.code, "one was dropped: not all are queued")
	_, s = parseBatch(t, f.stdout)
	require.Equal(t, summary{Notifications: 10, Everybody: 10, Queued: 9, Rejected: 1, Dropped: 1, Done: true}, s)
	onceEach(t, server, 9)
	require.Empty(t, execute(t, nil, "dead", "list", "--state", state).stdout)
}

func TestBatchChecksEverythingFirst(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.ndjson")
	require.NoError(t, os.WriteFile(bad, []byte(`{"company_id":"biz_1","title":"T","content":"C"}`+"\n"+`{"company_id":"biz_1","title":"T"}`+"\n"), 0o600))
	good := fileOf(t, 1)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no file":         {nil, "no file given"},
		"two files":       {[]string{good, bad}, "one file at a time"},
		"not there":       {[]string{filepath.Join(dir, "gone")}, "no such file"},
		"a directory":     {[]string{dir}, "is a directory"},
		"bad line":        {[]string{bad}, "line 2: content: is required and blank"},
		"stdin, no state": {[]string{"-"}, "--state DIR is required"},
		"empty":           {[]string{os.DevNull, "--state", filepath.Join(dir, "new")}, "nothing to send"},
		"device":          {[]string{os.DevNull}, "--state DIR is required"},
		"broadcast":       {[]string{good, "--no-broadcast"}, "line 1: goes to everybody in its target, which --no-broadcast refuses"},
		"nothing begun":   {[]string{"--state", filepath.Join(dir, "new")}, "no batch has begun in"},
		"restart of none": {[]string{"--state", filepath.Join(dir, "new"), "--restart"}, "--restart needs the FILE"},
		"concurrency":     {[]string{good, "--concurrency", "0"}, "--concurrency 0 is under 1"},
		"rate limit":      {[]string{good, "--rate-limit", "-1"}, "--rate-limit -1 is negative"},
		"base URL":        {[]string{good, "--base-url", "http://example.com"}, "--insecure-http"},
		"at most once":    {[]string{good, "--at-most-once"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := execute(t, environment(server), append([]string{"batch"}, c.args...)...)
			require.Equal(t, 2, f.code, f.stderr)
			require.Contains(t, f.stderr, c.says)
			require.Empty(t, f.stdout)
			require.Empty(t, server.Requests())
		})
	}
	t.Run("no key", func(t *testing.T) {
		f := execute(t, nil, "batch", good)
		require.Equal(t, 2, f.code)
		require.Contains(t, f.stderr, "no API key")
		for _, command := range []string{"batch", "enqueue"} { // first things first
			f = execute(t, nil, command, filepath.Join(dir, "gone"))
			require.Equal(t, 2, f.code)
			require.Contains(t, f.stderr, "whop-notify: stat "+filepath.Join(dir, "gone")+": no such file or directory\n")
			require.NotContains(t, f.stderr, "no API key")
		}
	})
	t.Cleanup(func() {
		require.NoDirExists(t, bad+".state", "nothing is left behind")
		require.NoDirExists(t, good+".state", "nothing is left behind")
		require.NoDirExists(t, filepath.Join(dir, "new"), "nothing is left behind")
	})
}

func TestBatchFromStandardInput(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file, err := os.ReadFile(fileOf(t, 20))
	require.NoError(t, err)
	state := filepath.Join(t.TempDir(), "state")
	env := environment(server)
	bad := executeWith(t, "x\n", env, "batch", "-", "--state", state, "--rate-limit", "0")
	require.Equal(t, 2, bad.code)
	require.Contains(t, bad.stderr, "line 1: not valid JSON")
	f := executeWith(t, string(file), env, "batch", "-", "--state", state, "--rate-limit", "0")
	require.Zero(t, f.code, f.stderr)
	onceEach(t, server, 20)
	f = executeWith(t, string(file), env, "batch", "-", "--state", state)
	require.Zero(t, f.code, f.stderr)
	require.Contains(t, f.stdout, "already done on ")
	onceEach(t, server, 20)
}

func TestBatchStopsAtAWrongKeyAndLosesNothing(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 30)
	f := execute(t, []string{"WHOP_BASE_URL=" + server.URL(), "WHOP_API_KEY=wrong"}, "batch", file, "--rate-limit", "0")
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, "401 Unauthorized")
	require.Contains(t, f.stderr, "Nothing is lost: correct the key, its permission or the base URL")
	f = execute(t, environment(server), "batch", file, "--rate-limit", "0")
	require.Zero(t, f.code, f.stderr)
	onceEach(t, server, 30)
}

// What runs under nohup goes on when its terminal closes.
func TestBatchUnderNohup(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p := startCommand(t, "sh", "", environment(server), "-c", `trap "" HUP; exec "$0" "$@"`, binary, "batch", fileOf(t, 100))
	require.Eventually(t, func() bool { return len(server.Queued()) > 15 }, patience, time.Millisecond)
	p.signal(syscall.SIGHUP)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	onceEach(t, server, 100)
}

// A terminal that closes sends SIGHUP.
func TestBatchGoesOnAfterASignal(t *testing.T) {
	t.Parallel()
	// A signal that is handled here is not ignored in the command, though these tests run under nohup.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(handled) })
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			file := fileOf(t, 200)
			p := start(t, environment(server), "batch", file, "--output", "json")
			require.Eventually(t, func() bool { return len(server.Queued()) > 15 }, patience, time.Millisecond)
			p.signal(sig)
			f := p.finish()
			require.Equal(t, 1, f.code)
			require.Contains(t, f.stderr, "interrupted, with ")
			require.Contains(t, f.stderr, "run the same command again")
			_, s := parseBatch(t, f.stdout)
			require.False(t, s.Done)
			require.Equal(t, 200, s.Queued+s.ToGo)
			require.Len(t, server.Queued(), s.Queued)

			f = execute(t, environment(server), "batch", file, "--rate-limit", "0")
			require.Zero(t, f.code, f.stderr)
			onceEach(t, server, 200)
			require.Len(t, server.Requests(), 200, "what was in flight had come to its end")
		})
	}
}
