package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// terminal opens a pseudo-terminal: the end a program writes to, and the one to read.
func terminal(t *testing.T) (program, reader *os.File) {
	t.Helper()
	reader, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = reader.Close() })
	var number, unlock uint32
	ioctl := func(request uintptr, arg *uint32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, reader.Fd(), request, uintptr(unsafe.Pointer(arg)))
		require.Zero(t, errno)
	}
	ioctl(syscall.TIOCSPTLCK, &unlock)
	ioctl(syscall.TIOCGPTN, &number)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	resize(t, program, 100)
	return program, reader
}

func resize(t *testing.T, terminal *os.File, columns uint16) {
	t.Helper()
	size := [4]uint16{24, columns}
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, terminal.Fd(), syscall.TIOCSWINSZ, uintptr(unsafe.Pointer(&size)))
	require.Zero(t, errno)
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

func TestBatchShowsABarAtATerminal(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(append([]whoptest.Reply{whoptest.Error(422, "", "Verify first.")},
		slices.Repeat([]whoptest.Reply{whoptest.StallFor(500 * time.Millisecond)}, 60)...)...) // so that the bar is drawn midway
	program, reader := terminal(t)
	cmd := exec.CommandContext(t.Context(), binary, "batch", fileOf(t, 100), "--rate-limit", "3000")
	cmd.Env = append(environment(server), "TERM=xterm", "NO_COLOR=1")
	cmd.Stderr = program
	var screen bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&screen, reader) })
	err := cmd.Run()
	require.NoError(t, program.Close())
	reading.Wait()
	require.Error(t, err)
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	shown := screen.String()
	require.Regexp(t, `\d\d of 100 +\[=+>-+\] +\d+\.\d/s, \ds left, 1 failed`, shown)
	require.Regexp(t, `100 of 100 +\[=+\] +\d+\.\d/s, 1 failed`, shown)
	require.Contains(t, shown, "not queued: 1 notification\r\n")
}

func TestColoursAreForTerminalsThatWantThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		want bool
	}{
		"terminal":       {[]string{"TERM=xterm"}, true},
		"NO_COLOR":       {[]string{"TERM=xterm", "NO_COLOR=1"}, false},
		"empty NO_COLOR": {[]string{"TERM=xterm", "NO_COLOR="}, true}, // as no-color.org has it
		"dumb":           {[]string{"TERM=dumb"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			program, reader := terminal(t)
			cmd := exec.CommandContext(t.Context(), binary, sendArgs()...)
			cmd.Env = append(environment(server), c.env...)
			cmd.Stdout = program
			var screen bytes.Buffer
			var reading sync.WaitGroup
			reading.Go(func() { _, _ = io.Copy(&screen, reader) }) // ends when no program has it open
			err := cmd.Run()
			require.NoError(t, program.Close())
			reading.Wait()
			require.NoError(t, err)
			require.Contains(t, screen.String(), "queued")
			require.Equal(t, c.want, strings.Contains(screen.String(), "\x1b[32mqueued\x1b[0m"), screen.String())
			require.Equal(t, c.want, strings.Contains(screen.String(), "\x1b"), screen.String())
		})
	}
}

func TestTheKeyIsNotAmongTheArguments(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Stall())
	p := start(t, environment(server), sendArgs()...)
	arrived(t, server, 1)
	arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.Process.Pid))
	require.NoError(t, err)
	require.Contains(t, string(arguments), "biz_1")
	require.NotContains(t, string(arguments), server.APIKey())
	p.signal(syscall.SIGINT)
	p.finish()
}

// The exit code is about the notification, also where its result cannot be written.
func TestAResultThatCannotBeWrittenDoesNotMakeItLookLost(t *testing.T) {
	t.Parallel()
	full, gone := unwritable(t)
	for name, stdout := range map[string]*os.File{"full disk": full, "reader gone": gone} {
		t.Run(name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			cmd := exec.CommandContext(t.Context(), binary, sendArgs()...)
			cmd.Env = environment(server)
			cmd.Stdout = stdout
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			require.NoError(t, cmd.Run())
			require.Contains(t, stderr.String(), "could not be written")
			require.Contains(t, stderr.String(), server.Queued()[0].IdempotencyKey)
		})
	}
}

// A person should not look at nothing while the command waits.
func TestWaitsShowAtATerminal(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.RateLimitedAfter(10 * time.Millisecond))
	program, reader := terminal(t)
	cmd := exec.CommandContext(t.Context(), binary, sendArgs()...)
	cmd.Env = environment(server)
	cmd.Stderr = program
	var screen bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&screen, reader) })
	err := cmd.Run()
	require.NoError(t, program.Close())
	reading.Wait()
	require.NoError(t, err)
	require.Equal(t, "attempt 1: 429 Too Many Requests; next in 0.01 s\r\n", screen.String())
}
