package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// The exit codes.
const (
	exitQueued  = 0
	exitNot     = 1
	exitUsage   = 2
	exitUnknown = 3
)

// exitError is an error with its exit code, and advice on what to do.
type exitError struct {
	code int
	err  error  // nil if all went well
	hint string // "" if there is nothing to say
}

func (e *exitError) Error() string {
	if e.err == nil {
		return e.hint
	}
	return e.err.Error()
}
func (e *exitError) Unwrap() error { return e.err }

func usageError(err error, hint string) error {
	return &exitError{code: exitUsage, err: err, hint: hint}
}

// asExit adds the code of a failure to an error without a code.
func asExit(err error) error {
	if _, coded := errors.AsType[*exitError](err); coded {
		return err
	}
	return &exitError{code: exitNot, err: err}
}

// sendExit adds the exit code and advice to the error of a send. ownKey says that the user chose
// the idempotency key.
func sendExit(err *whop.SendError, ownKey bool) error {
	code := exitNot
	switch {
	case errors.Is(err, whop.ErrInvalidNotification):
		code = exitUsage
	case err.Outcome == whop.Unknown:
		code = exitUnknown
	}
	shown := *err
	shown.Err = causeOf(err)
	return &exitError{code: code, err: &shown, hint: whatNext(err, ownKey)}
}

// report prints an error and returns the exit code. Errors without a code are cobra's, about
// arguments and commands.
func report(stderr io.Writer, cmd *cobra.Command, err error) int {
	if err == nil {
		return exitQueued
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok {
		oneLine := strings.Join(strings.Fields(err.Error()), " ") // cobra spreads its suggestions
		exit = &exitError{code: exitUsage, err: errors.New(oneLine)}
	}
	if exit.err == nil { // all went well, and there is something to add
		fmt.Fprintln(stderr, printable(exit.hint))
		return exit.code
	}
	for text := range strings.Lines(inTermsOfFlags(exit.err)) {
		fmt.Fprintf(stderr, "whop-notify: %s\n", strings.TrimSpace(text))
	}
	switch {
	case exit.hint != "":
		fmt.Fprintln(stderr, printable(exit.hint))
	case exit.code == exitUsage:
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", cmd.CommandPath())
	}
	return exit.code
}
