package main_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

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

// slow starts a server that takes a while over each request, so that there is a bar to see.
func slow(t *testing.T) *whoptest.Server {
	t.Helper()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
		time.Sleep(50 * time.Millisecond)
		return whoptest.Serve()
	})
	return server
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
			server := slow(t)
			screen, code := atTerminal(t, test.columns, append(environment(server), test.env), nil, "batch", fileOf(t, 60), "--concurrency", "1")
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
	server := slow(t)
	screen, code := atTerminal(t, 80, append(environment(server), "TERM=xterm"), func(_ *os.Process, keyboard io.Writer) {
		require.Eventually(t, func() bool { return len(server.Queued()) > 10 }, patience, time.Millisecond)
		time.Sleep(300 * time.Millisecond)
		_, err := keyboard.Write([]byte{3})
		require.NoError(t, err)
	}, "batch", fileOf(t, 300), "--concurrency", "1")
	require.Equal(t, 1, code, screen)
	_, after, found := strings.Cut(screen, "^C")
	require.True(t, found, screen)
	require.Regexp(t, `\x1b\[J\d+ of 300 +\[=*>-+\][^\n]*\r?\nwhop-notify: interrupted, with \d+ notifications to go\r\n`, after)
}
