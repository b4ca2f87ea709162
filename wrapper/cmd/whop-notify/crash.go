package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
)

// exitBug is the code of a fault of the program itself. Go's own is 2, which says here that
// nothing was tried.
const exitBug = 70 // EX_SOFTWARE of sysexits.h

// exitOnPanic must be deferred at the start of a goroutine.
func exitOnPanic(stderr io.Writer) {
	if fault := recover(); fault != nil {
		fmt.Fprintf(stderr, "whop-notify: a fault of the program itself: %v\n%s\n", fault, debug.Stack())
		fmt.Fprintln(stderr, "What was in flight is unknown: a run under the same idempotency keys, within 24 hours, notifies nobody twice.")
		os.Exit(exitBug)
	}
}

// exitOnQuit answers SIGQUIT (Ctrl-\) as Go does, with the stacks of all goroutines, but with
// another exit code.
func exitOnQuit() {
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	go func() {
		<-quit
		fmt.Fprintln(os.Stderr, "whop-notify: SIGQUIT")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		os.Exit(exitBug)
	}()
}
