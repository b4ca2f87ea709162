package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// copyInput copies a file, a pipe, or standard input (-), and stops when ctx ends: a pipe
// that nobody writes to cannot be opened, and one that nobody closes has no end.
func copyInput(ctx context.Context, name string, stdin io.Reader, to io.Writer) error {
	copied := make(chan error, 1)
	go func() {
		defer exitOnPanic(os.Stderr)
		in := stdin
		if name != "-" {
			file, err := os.Open(name)
			if err != nil {
				copied <- err
				return
			}
			defer file.Close()
			in = file
		}
		_, err := io.Copy(copyWriter{to}, in)
		copied <- err
	}()
	select {
	case err := <-copied:
		return err
	case <-ctx.Done():
		return fmt.Errorf("reading %s: %w", inputName(name), context.Cause(ctx))
	}
}

// whileCopied returns a reader of what copyInput copies. Close it to stop the copying.
func whileCopied(ctx context.Context, name string, stdin io.Reader, to io.Writer) *io.PipeReader {
	reader, writer := io.Pipe()
	go func() {
		defer exitOnPanic(os.Stderr)
		writer.CloseWithError(copyInput(ctx, name, stdin, io.MultiWriter(to, writer)))
	}()
	return reader
}

// copyWriter marks its errors as not the input's.
type copyWriter struct{ io.Writer }

func (w copyWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = &copyError{err}
	}
	return n, err
}

// copyError is an error of the disk to which an input is copied.
type copyError struct{ err error }

func (e *copyError) Error() string { return "keeping a copy of the input: " + e.err.Error() }
func (e *copyError) Unwrap() error { return e.err }

func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// checkInput refuses a name that cannot be an input, before anything is opened.
func checkInput(name string) (regular bool, err error) {
	if name == "-" {
		return false, nil
	}
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	if info.IsDir() {
		return false, fmt.Errorf("%s is a directory", name)
	}
	return info.Mode().IsRegular(), nil
}

// inputError adds the exit code to an error of reading or copying an input.
func inputError(ctx context.Context, err error) error {
	_, disk := errors.AsType[*copyError](err)
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitNot, err: err, hint: "Nothing was sent."}
	case disk:
		return &exitError{code: exitNot, err: err, hint: "Nothing was sent. Make room, or choose another directory: of batch with --state, of enqueue with TMPDIR."}
	}
	return usageError(err, "")
}
