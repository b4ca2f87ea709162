package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// hanging makes the server answer n requests, and no more.
func hanging(server *whoptest.Server, n int) {
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
		if n--; n >= 0 {
			return whoptest.Serve()
		}
		return whoptest.Stall()
	})
}

// killedAfter returns the state of a batch that was killed when n of its notifications had
// been sent, and others were in flight.
func killedAfter(t *testing.T, server *whoptest.Server, file string, n int) (state string) {
	t.Helper()
	hanging(server, n)
	p := start(t, environment(server), "batch", file, "--rate-limit", "0", "--concurrency", "4")
	require.Eventually(t, func() bool { return len(server.Queued()) >= n && len(server.Requests()) > n }, patience, time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	p.kill()
	settle(t, server)
	return file + ".state"
}

// settle waits for the requests that a killed process had written to its connections: they
// still arrive. Then the server serves as usual.
func settle(t *testing.T, server *whoptest.Server) {
	t.Helper()
	arrived, since := len(server.Requests()), time.Now()
	require.Eventually(t, func() bool {
		if n := len(server.Requests()); n != arrived {
			arrived, since = n, time.Now()
		}
		return time.Since(since) > 250*time.Millisecond
	}, patience, 10*time.Millisecond)
	server.ScriptFunc(nil)
}

// A state directory belongs to one input, base URL and version: anything else under it says
// what differs, and sends nothing.
func TestABatchBelongsToItsInput(t *testing.T) {
	t.Parallel()
	type run struct {
		name  string
		stdin string
		args  func(file, state string) []string
		prep  func(t *testing.T, file string)
		says  string

		unfinishedToo bool
	}
	with := func(more ...string) func(file, state string) []string {
		return func(file, _ string) []string { return append([]string{file}, more...) }
	}
	write := func(text string) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			t.Helper()
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		}
	}
	const line = `{"company_id":"biz_1","title":"T","content":"C"}` + "\n"
	for _, done := range []bool{true, false} {
		for _, test := range []run{
			{name: "other content, as many", args: with(), prep: write(strings.Repeat(line, 30)), says: "that had as many notifications, with another content"},
			{name: "appended", unfinishedToo: true, args: with(), says: "that had 30 notifications, this has 31", prep: func(t *testing.T, file string) {
				t.Helper()
				f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
				require.NoError(t, err)
				_, err = f.WriteString(line)
				require.NoError(t, err)
				require.NoError(t, f.Close())
			}},
			{name: "empty export", args: with(), prep: write(""), says: "that had 30 notifications, this has 0"},
			{name: "other standard input", stdin: line, args: func(_, state string) []string { return []string{"-", "--state", state} }, says: "that had 30 notifications, this has 1"},
			{name: "other base URL", args: with("--base-url", "http://127.0.0.1:1/api/v1"), says: "and this run would send to http://127.0.0.1:1/api/v1"},
			{name: "other version", unfinishedToo: true, args: with("--api-version", "2025-01-01"), says: "has the --api-version 2026-07-20, and this run has 2025-01-01"},
			{name: "no version", args: with("--api-version", "none"), says: "and this run has none"},
			{name: "no broadcasts any more", args: with("--no-broadcast"), says: "30 of 30 notifications go to everybody, which --no-broadcast refuses"},
		} {
			if !done && !test.unfinishedToo {
				continue
			}
			t.Run(fmt.Sprintf("%s, done %v", test.name, done), func(t *testing.T) {
				t.Parallel()
				server := whoptest.NewServer(t)
				file := fileOf(t, 30)
				state := file + ".state"
				if done {
					f := execute(t, environment(server), "batch", file, "--rate-limit", "0")
					require.Zero(t, f.code, f.stderr)
				} else {
					killedAfter(t, server, file, 10)
				}
				if test.prep != nil {
					test.prep(t, file)
				}
				before := len(server.Requests())
				f := executeWith(t, test.stdin, environment(server), append([]string{"batch"}, test.args(file, state)...)...)
				require.Equal(t, 2, f.code, f.stdout)
				require.Contains(t, f.stderr, test.says)
				if !strings.Contains(test.says, "--no-broadcast") {
					require.Contains(t, f.stderr, state)
					require.Contains(t, f.stderr, "another --state DIR, or --restart")
				}
				require.Empty(t, f.stdout)
				require.Len(t, server.Requests(), before)
				for _, name := range filesIn(t, state) {
					require.NotContains(t, name, ".tmp")
				}
			})
		}
	}
}

func TestRestartKeepsTheOldStateAside(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 5)
	require.Zero(t, execute(t, environment(server), "batch", file).code)
	for i := 1; i <= 2; i++ {
		require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `{"company_id":"biz_1","title":"T","content":"restarted %d"}`, i), 0o600))
		f := execute(t, environment(server), "batch", file, "--restart")
		require.Zero(t, f.code, f.stderr)
		require.Contains(t, f.stderr, fmt.Sprintf("the old state is kept in %s.state.%d\n", file, i))
		require.Contains(t, f.stdout, "all queued: Whop has taken 1 of 1 notification for delivery")
		require.Equal(t, 1, delivered(t, server)[fmt.Sprintf("restarted %d", i)])
	}
	require.Contains(t, filesIn(t, file+".state.1"), "batch.json")

	// What cannot be sent restarts nothing.
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	require.Equal(t, 2, execute(t, environment(server), "batch", file, "--restart").code)
	require.NoDirExists(t, file+".state.3")
	require.Len(t, server.Queued(), 7)
}

// The exit code of a run that left something unsent stays that of the batch.
func TestAnExitCodeStays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		reply whoptest.Reply
		code  int
	}{
		{name: "rejected", reply: whoptest.Error(422, "", "Verify first."), code: 1},
		{name: "unknown", reply: whoptest.Error(500, "", "No.").WithHeader("X-Should-Retry", "false"), code: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.Script(test.reply)
			file := fileOf(t, 5)
			first := execute(t, environment(server), "batch", file)
			require.Equal(t, test.code, first.code, first.stderr)
			again := execute(t, environment(server), "batch", file)
			require.Equal(t, test.code, again.code, again.stderr)
			require.Contains(t, again.stdout, "already done on ")
			require.Contains(t, again.stdout, "not all queued: Whop has taken 4 of 5")
			require.Contains(t, again.stderr, "dead list --state")
			require.Len(t, server.Requests(), 5)
		})
	}
}

// An unfinished batch needs its input no more; one that is done is not that of a file that
// is gone.
func TestABatchGoesOnWithoutItsFile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		args func(file, state string) []string
		says string
	}{
		{name: "file gone", args: func(file, _ string) []string { return []string{file} }, says: "is gone: going on with the copy in"},
		{name: "no file given", args: func(_, state string) []string { return []string{"--state", state} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			file := fileOf(t, 40)
			state := killedAfter(t, server, file, 10)
			require.NoError(t, os.Remove(file))
			f := execute(t, environment(server), append([]string{"batch", "--rate-limit", "0"}, test.args(file, state)...)...)
			require.Zero(t, f.code, f.stderr)
			require.Contains(t, f.stderr, test.says)
			require.Contains(t, f.stdout, "all queued: Whop has taken 40 of 40")
			onceEach(t, server, 40)

			f = execute(t, environment(server), "batch", file)
			require.Equal(t, 2, f.code)
			require.Contains(t, f.stderr, "paid.ndjson is not there; the batch in")
		})
	}
}

// What is sent is what was checked, whatever becomes of the file meanwhile.
func TestALineThatChangesAfterTheCheckIsSentAsItWas(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	hanging(server, 5)
	file := fileOf(t, 40)
	p := start(t, environment(server), "batch", file, "--rate-limit", "0", "--attempt-timeout", "1s", "--concurrency", "2")
	require.Eventually(t, func() bool { return len(server.Requests()) > 5 }, patience, time.Millisecond)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "is paid", "is late")), 0o600))
	server.ScriptFunc(nil)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	onceEach(t, server, 40)
	for text := range delivered(t, server) {
		require.Contains(t, text, "is paid")
	}
}

func TestTwoProcessesDoNotShareAStateDirectory(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	hanging(server, 0)
	file := fileOf(t, 30)
	p := start(t, environment(server), "batch", file)
	require.Eventually(t, func() bool { return len(server.Requests()) > 0 }, patience, time.Millisecond)
	for _, args := range [][]string{{"batch", file}, {"batch", file, "--restart"}, {"dead", "list", "--state", file + ".state"}} {
		busy := execute(t, environment(server), args...)
		require.Equal(t, 1, busy.code, args)
		require.Contains(t, busy.stderr, "another process is at work on "+file+".state")
	}
	p.kill()
}

// A name that is not there is not that of the unfinished batch by mistake.
func TestAFileThatIsMistyped(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 40)
	state := killedAfter(t, server, file, 10)
	before := len(server.Requests())
	f := execute(t, environment(server), "batch", file+"x", "--state", state)
	require.Equal(t, 2, f.code)
	require.Contains(t, f.stderr, file+"x is not there, and the batch in "+state+" is of another file")
	require.Contains(t, f.stderr, "To finish that batch without its input: whop-notify batch --state ")
	require.Len(t, server.Requests(), before)
}

// The input puts back the copy in the directory, and nothing else does.
func TestACopyThatIsGone(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 40)
	state := killedAfter(t, server, file, 10)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	copied := filepath.Join(state, "input.ndjson")
	require.NoError(t, os.Remove(copied))
	require.NoError(t, os.WriteFile(file, append(text, text...), 0o600))
	require.Equal(t, 2, execute(t, environment(server), "batch", file).code, "another input")
	require.NoFileExists(t, copied)

	require.NoError(t, os.WriteFile(file, text, 0o600))
	f := execute(t, environment(server), "batch", file, "--rate-limit", "0")
	require.Zero(t, f.code, f.stderr)
	onceEach(t, server, 40)
}
