package main

import (
	"errors"
	"fmt"
	"io"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

var errChanged = errors.New("the copy of the input is no longer what was checked")

// pass reads a checked input, and compares its checksum before using any of it. A line without a
// key gets one made from run and its number, the same each time.
func pass(in io.ReadSeeker, m manifest, run string, each func(number int, n whop.Notification) error) error {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := newLineReader(in)
	if err := lines.each(func([]byte) error { return nil }); err != nil {
		return err
	}
	if lines.sum() != m.Sum {
		return errChanged
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines = newLineReader(in)
	return lines.each(func(line []byte) error {
		n, err := parseLine(line)
		if err != nil {
			return errors.Join(errChanged, &lineError{lines.number, err})
		}
		if n.IdempotencyKey() == "" {
			n = n.WithIdempotencyKey(fmt.Sprintf("%s-%d", run, lines.number))
		}
		return each(lines.number, n)
	})
}
