package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Go's own exit code of a panic would say that nothing was tried.
func TestAPanicExitsWithACodeOfItsOwn(t *testing.T) {
	switch os.Getenv("WHOP_TEST_PANIC") {
	case "own":
		defer exitOnPanic(os.Stderr)
		panic("an index out of range")
	case "elsewhere":
		crashByAbort()
		go panic("in a goroutine of a package")
		select {}
	}
	for _, test := range []struct {
		name, where, says string
		exited            bool
	}{
		{name: "own goroutine", where: "own", says: "a fault of the program itself: an index out of range", exited: true},
		{name: "goroutine of a package", where: "elsewhere", says: "in a goroutine of a package"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAPanicExitsWithACodeOfItsOwn$")
			cmd.Env = append(os.Environ(), "WHOP_TEST_PANIC="+test.where)
			said, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.Contains(t, string(said), test.says)
			if test.exited {
				require.Equal(t, exitBug, cmd.ProcessState.ExitCode())
				return
			}
			status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
			require.True(t, ok)
			require.Equal(t, syscall.SIGABRT, status.Signal())
		})
	}
}
