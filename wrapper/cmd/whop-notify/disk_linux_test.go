package main_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// smallDisk mounts a file system of its own, which takes the rights of root.
func smallDisk(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Logf("no disk of its own (%v): what needs one is not tested", err)
		return ""
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill takes all that is left on a disk.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	require.NoError(t, err)
	_, err = io.Copy(f, zeros{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A full disk is said, and waited for; when there is room, the batch goes on by itself.
func TestABatchWaitsForAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=32m")
	if disk == "" {
		return
	}
	server := whoptest.NewServer(t)
	file := fileOf(t, 200)
	state := filepath.Join(disk, "state")
	p := start(t, environment(server), "batch", file, "--state", state, "--rate-limit", "6000", "--concurrency", "2")
	require.Eventually(t, func() bool { return len(server.Queued()) > 20 }, patience, time.Millisecond)
	free := fill(t, disk)
	p.await("the disk of the state directory " + state + " is full: waiting until there is room")
	free()
	p.await("there is room again: going on")
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	onceEach(t, server, 200)

	// And one that is told to end while it waits, ends.
	server.ScriptFunc(nil)
	file = fileOf(t, 201)
	p = start(t, environment(server), "batch", file, "--state", state, "--restart", "--rate-limit", "60")
	p.await("0 of 201")
	require.Eventually(t, func() bool { return len(server.Queued()) > 200 }, patience, time.Millisecond)
	fill(t, disk)
	p.await("is full")
	p.signal(syscall.SIGINT)
	f = p.finish()
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, "interrupted")
	pending, err := filepath.Glob(filepath.Join(state, ".*"))
	require.NoError(t, err)
	require.Empty(t, pending)
}

// What cannot be written is said at once, and leaves nothing behind.
func TestAStateDirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full := smallDisk(t, "size=1m")
	readOnly := smallDisk(t, "size=1m")
	if full == "" || readOnly == "" {
		return
	}
	fill(t, full)
	require.NoError(t, syscall.Mount("", readOnly, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	plain := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	server := whoptest.NewServer(t)
	for _, test := range []struct {
		name, state, says string
	}{
		{name: "full", state: filepath.Join(full, "state"), says: "the disk of the state directory " + filepath.Join(full, "state") + " is full: no space left on device"},
		{name: "read-only", state: filepath.Join(readOnly, "state"), says: "cannot be used: read-only file system"},
		{name: "read-only, there", state: readOnly, says: "cannot be used: read-only file system"},
		{name: "a file", state: plain, says: "cannot be used: not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			begun := time.Now()
			f := execute(t, environment(server), "batch", fileOf(t, 3), "--state", test.state)
			require.Equal(t, 1, f.code)
			require.Contains(t, f.stderr, test.says)
			require.Less(t, time.Since(begun), 10*time.Second)
			require.Empty(t, server.Requests())
		})
	}
	require.Equal(t, []string{"filler"}, filesIn(t, full))
}

// A name that somebody else put into the directory leads nowhere.
func TestNoFileIsWrittenThroughASymlink(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 3)
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Mkdir(file+".state", 0o700))
	for _, name := range []string{"batch.json.tmp", "input.ndjson.tmp", "batch.json.new", "input.ndjson", "ledger", "status.json"} {
		require.NoError(t, os.Symlink(victim, filepath.Join(file+".state", name)))
	}
	f := execute(t, environment(server), "batch", file)
	require.Zero(t, f.code, f.stderr)
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}

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

// The text of a process at a terminal of some width.
func atTerminal(t *testing.T, columns uint16, env []string, during func(p *os.Process, keyboard io.Writer), args ...string) (screen string, code int) {
	t.Helper()
	program, reader := terminal(t)
	resize(t, program, columns)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = env
	cmd.Stdin, cmd.Stderr = program, program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	var shown bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&shown, reader) })
	require.NoError(t, cmd.Start())
	if during != nil {
		during(cmd.Process, reader)
	}
	_ = cmd.Wait()
	require.NoError(t, program.Close())
	reading.Wait()
	return shown.String(), cmd.ProcessState.ExitCode()
}

func TestTheBarFitsItsTerminal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		columns uint16
		env     string
		want    string
	}{
		{name: "wide", columns: 100, env: "TERM=xterm", want: `\d\d of 60 +\[=+>-+\] +\d+\.\d/s, \d+s left`},
		{name: "40 columns", columns: 40, env: "TERM=xterm", want: `\d\d of 60 +\[=+>-{3,}\] +\d+s left`},
		{name: "dumb", columns: 100, env: "TERM=dumb", want: `\n0 of 60\r\n`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			screen, code := atTerminal(t, test.columns, append(environment(server), test.env), nil, "batch", fileOf(t, 60), "--rate-limit", "1200", "--concurrency", "1")
			require.Zero(t, code, screen)
			require.Regexp(t, test.want, screen)
			for line := range strings.SplitSeq(screen, "\n") {
				line = strings.TrimRight(escapes.ReplaceAllString(line, ""), "\r")
				if strings.Contains(line, "[") {
					require.LessOrEqual(t, len([]rune(line)), int(test.columns), line)
				}
			}
		})
	}
}

// After Ctrl-C, which the terminal shows as ^C, the last line of the bar is whole.
func TestTheBarIsWholeAfterCtrlC(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	screen, code := atTerminal(t, 80, append(environment(server), "TERM=xterm"), func(_ *os.Process, keyboard io.Writer) {
		require.Eventually(t, func() bool { return len(server.Queued()) > 10 }, patience, time.Millisecond)
		time.Sleep(300 * time.Millisecond)
		_, err := keyboard.Write([]byte{3})
		require.NoError(t, err)
	}, "batch", fileOf(t, 300), "--rate-limit", "600", "--concurrency", "1")
	require.Equal(t, 1, code, screen)
	_, after, found := strings.Cut(screen, "^C")
	require.True(t, found, screen)
	require.Regexp(t, `\x1b\[J\d+ of 300 +\[=*>-+\][^\n]*\r?\nwhop-notify: interrupted, with \d+ notifications to go\r\n`, after)
}
