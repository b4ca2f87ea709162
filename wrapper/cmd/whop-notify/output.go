package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/spf13/cobra"
)

// format is the value of --output.
type format string

const (
	textFormat format = "text"
	jsonFormat format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

func (f *format) Set(s string) error {
	switch format(s) {
	case textFormat, jsonFormat:
		*f = format(s)
		return nil
	}
	return errors.New("must be text or json")
}

// output is standard output. It remembers a failed write, since cobra ignores many errors of
// printing.
type output struct {
	io.Writer
	err     error
	excused bool // the exit code is about notifications, and the failure was told
}

// unwritten is an error of writing to standard output.
type unwritten struct{ err error }

func (e *unwritten) Error() string { return "standard output could not be written: " + e.err.Error() }
func (e *unwritten) Unwrap() error { return e.err }

func isUnwritten(err error) bool {
	_, ok := errors.AsType[*unwritten](err)
	return ok
}

func (o *output) Write(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.Writer.Write(p)
	if err != nil {
		o.err = &unwritten{err}
	}
	return n, o.err
}

// failure returns the error to exit with if nothing else failed. A reader that has seen enough,
// such as head, is not a failure.
func (o *output) failure() error {
	if o.err == nil || o.excused || errors.Is(o.err, syscall.EPIPE) {
		return nil
	}
	return &exitError{code: exitNot, err: o.err}
}

// writeResult writes the result of a notification to standard output. If that fails, it writes
// to standard error, so that the result is not lost. The exit code stays that of the
// notification.
func writeResult(cmd *cobra.Command, text []byte) {
	out := cmd.OutOrStdout()
	if _, err := out.Write(text); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "whop-notify: the result could not be written: %v\n%s", errors.Unwrap(err), text)
	}
	excuse(out)
}

// writeSummary writes a summary, which can be printed again. The exit code does not report its
// failure.
func writeSummary(cmd *cobra.Command, text []byte) {
	out := cmd.OutOrStdout()
	if _, err := out.Write(text); err != nil && !errors.Is(err, syscall.EPIPE) {
		fmt.Fprintf(cmd.ErrOrStderr(), "whop-notify: %v\n", err)
	}
	excuse(out)
}

func excuse(w io.Writer) {
	if o, ok := w.(*output); ok {
		o.excused = true
	}
}

// line returns a value as one line of JSON.
func line(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // all our values encode
	}
	return escaped(b.Bytes())
}
