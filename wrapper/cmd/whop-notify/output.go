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

// output is standard output. It remembers that something could not be written, since much
// of what cobra prints is printed without a look at the error.
type output struct {
	io.Writer
	err     error
	excused bool // the exit code is about notifications, and the failure was told
}

// unwritten is an error of standard output.
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

// failure is what to end with where nothing else failed. A reader that has seen enough, as
// head does, is none.
func (o *output) failure() error {
	if o.err == nil || o.excused || errors.Is(o.err, syscall.EPIPE) {
		return nil
	}
	return &exitError{code: exitNot, err: o.err}
}

// writeResult writes what became of a notification to standard output, and to standard
// error what cannot be, since it is said nowhere else. That it cannot changes nothing about
// what became of it, nor about the exit code.
func writeResult(cmd *cobra.Command, text []byte) {
	out := cmd.OutOrStdout()
	if _, err := out.Write(text); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "whop-notify: the result could not be written: %v\n%s", errors.Unwrap(err), text)
	}
	excuse(out)
}

// writeSummary writes what can be asked for again. The exit code is not about it.
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

// line is a value as one line of JSON.
func line(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // nothing of ours fails to encode
	}
	return escaped(b.Bytes())
}
