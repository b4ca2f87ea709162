package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where nothing but printing is asked for, what cannot be printed is a failure, but no wrong
// usage; and a reader that has seen enough is none.
func TestOutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full, gone := unwritable(t)
	for _, args := range [][]string{
		{"--help"}, {"help", "send"}, {"--version"}, {"version"}, {"completion", "bash"}, sendArgs("--dry-run"),
	} {
		run := func(stdout *os.File) (int, string) {
			cmd := exec.CommandContext(t.Context(), binary, args...)
			cmd.Env = []string{"HOME=/", "WHOP_API_KEY=long-enough-key"}
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = stdout, &stderr
			_ = cmd.Run()
			return cmd.ProcessState.ExitCode(), stderr.String()
		}
		code, said := run(full)
		require.Equal(t, 1, code, args)
		require.Contains(t, said, "standard output could not be written: write /dev/stdout: no space left on device", args)
		require.NotContains(t, said, "for usage")
		code, said = run(gone)
		require.Zero(t, code, "%v %s", args, said)
		require.NotContains(t, said, "pipe", args)
	}
}

// Ctrl-\ ends a Go program with 2, which says here that nothing was tried.
func TestSIGQUITShowsGoroutinesAndExitsWithACodeOfItsOwn(t *testing.T) {
	t.Parallel()
	p, _ := serve(t, nil, "--api-key", "local-test-key")
	p.signal(syscall.SIGQUIT)
	f := p.finish()
	require.Equal(t, 70, f.code)
	require.Contains(t, f.stderr, "goroutine ")
}

// unwritable opens a disk that is full, and a pipe whose reader is gone.
func unwritable(t *testing.T) (full, gone *os.File) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { full.Close() })
	reader, gone, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	t.Cleanup(func() { gone.Close() })
	return full, gone
}
