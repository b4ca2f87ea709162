package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func fifo(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	return name
}

// Pipes work, once they have an end; and whatever they wait for, Ctrl-C ends it.
func TestInputsThatArePipes(t *testing.T) {
	t.Parallel()
	hub := startNATS(t)
	hub.open()
	for _, test := range []struct {
		name string
		args func(pipe, state string) []string
	}{
		{name: "batch", args: func(pipe, state string) []string {
			return []string{"batch", pipe, "--state", state, "--rate-limit", "0"}
		}},
		{name: "enqueue", args: func(pipe, _ string) []string { return []string{"enqueue", pipe, "--nats", hub.url()} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			text, err := os.ReadFile(fileOf(t, 20))
			require.NoError(t, err)
			pipe, state := fifo(t), filepath.Join(t.TempDir(), "state")
			write := func(end bool) {
				w, err := os.OpenFile(pipe, os.O_RDWR, 0) // which never blocks
				require.NoError(t, err)
				_, err = w.Write(text)
				require.NoError(t, err)
				if end {
					require.NoError(t, w.Close())
				} else {
					t.Cleanup(func() { _ = w.Close() })
				}
			}
			for _, before := range []string{"nobody has opened it", "nobody has closed it"} {
				p := start(t, environment(server), test.args(pipe, state)...)
				if before == "nobody has closed it" {
					write(false)
				}
				time.Sleep(time.Second)
				p.signal(syscall.SIGINT)
				f := p.finish()
				require.Equal(t, 1, f.code, before)
				require.Contains(t, f.stderr, "reading "+pipe+": interrupt signal received\nNothing was ", before)
				require.NoDirExists(t, state)
			}
			require.NoError(t, os.Remove(pipe))
			require.NoError(t, syscall.Mkfifo(pipe, 0o600))
			p := start(t, environment(server), test.args(pipe, state)...)
			w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // once the command has opened it
			require.NoError(t, err)
			_, err = w.Write(text)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			f := p.finish()
			require.Zero(t, f.code, f.stderr)
			require.Empty(t, server.Requests()[min(20, len(server.Requests())):])
		})
	}
}

// What is no file of notifications is refused at once, however much of it there is.
func TestInputsThatAreSomethingElse(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"batch", "enqueue"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "state")
			cmd := exec.CommandContext(t.Context(), "bash", "-c", `yes "not JSON" | "$0" "$@"`, binary, command, "-")
			if command == "batch" {
				cmd.Args = append(cmd.Args, "--state", state)
			}
			cmd.Env = append(os.Environ(), "WHOP_API_KEY=secret", "NATS_URL=nats://127.0.0.1:1")
			said, _ := cmd.CombinedOutput()
			require.Equal(t, 2, cmd.ProcessState.ExitCode(), string(said))
			require.Contains(t, string(said), "line 20: not valid JSON\nwhop-notify: nothing after that was checked\n")
			require.NoDirExists(t, state)
		})
	}
}

// <(…) of a shell: the key, and the notifications.
func TestProcessSubstitution(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file, state := fileOf(t, 5), filepath.Join(t.TempDir(), "state")
	run := func(script string) (int, string) {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", script, "bash", binary, file, state, server.APIKey())
		cmd.Env = append(os.Environ(), "WHOP_BASE_URL="+server.URL())
		said, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(said)
	}
	code, said := run(`"$1" batch <(cat "$2") --state "$3" --api-key-file <(printf %s "$4") --rate-limit 0`)
	require.Zero(t, code, said)
	onceEach(t, server, 5)
	code, said = run(`WHOP_API_KEY=$4 "$1" batch <(cat "$2")`)
	require.Equal(t, 2, code)
	require.Contains(t, said, "--state DIR is required, since /dev/fd/")
}

// A reader that has seen enough ends a list without noise.
func TestListsEndWithTheirReader(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "Verify first.") })
	file := fileOf(t, 30)
	require.Equal(t, 1, execute(t, environment(server), "batch", file, "--rate-limit", "0").code)
	for _, args := range []string{"dead list", "dead list --output json", "dead show 1", "status"} {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", `set -o pipefail; "$0" `+args+` --state "$1" | true`, binary, file+".state")
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", args, said)
		require.Empty(t, string(said), args)
	}
}
