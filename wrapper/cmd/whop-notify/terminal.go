package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether a person looks on.
func isTerminal(w io.Writer) bool {
	if o, ok := w.(*output); ok {
		w = o.Writer
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// canMove reports whether w is a terminal on which a line can be overwritten.
func canMove(w io.Writer) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }
