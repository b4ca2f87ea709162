package main

import (
	"io"
	"os"
)

// style paints words, or leaves them as they are.
type style struct{ colours bool }

// styleOf has colours for a terminal that wants them (no-color.org).
func styleOf(w io.Writer) style {
	return style{canMove(w) && os.Getenv("NO_COLOR") == ""}
}

func (s style) good(text string) string { return s.paint("32", text) }
func (s style) bad(text string) string  { return s.paint("31", text) }
func (s style) odd(text string) string  { return s.paint("33", text) }

func (s style) paint(code, text string) string {
	if !s.colours {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
