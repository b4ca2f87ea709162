package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// maxLine is the longest line of a file of notifications, in bytes.
const maxLine = 8 << 20

// lineReader goes through newline-delimited JSON.
type lineReader struct {
	in     *bufio.Reader
	digest hash.Hash
	number int // of the line read last, from 1
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{digest: sha256.New()}
	l.in = bufio.NewReaderSize(io.TeeReader(r, l.digest), 64<<10)
	return l
}

// next returns the next line that is not blank, or io.EOF.
func (l *lineReader) next() ([]byte, error) {
	for {
		l.number++
		var line []byte
		for {
			part, err := l.in.ReadSlice('\n')
			if line = append(line, part...); len(line) > maxLine {
				return nil, &lineError{l.number, fmt.Errorf("is longer than %d bytes", maxLine)}
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
				return nil, err
			}
			break
		}
		if l.number == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff")) // as some editors put before the first
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// each goes through all lines that are not blank.
func (l *lineReader) each(do func(line []byte) error) error {
	for {
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = do(line)
		}
		if err != nil {
			return err
		}
	}
}

// sum returns the checksum of what was read so far: at the end, of the whole file.
func (l *lineReader) sum() string { return hex.EncodeToString(l.digest.Sum(nil)) }

// lineError says what is wrong with a line.
type lineError struct {
	number int
	err    error
}

func (e *lineError) Error() string {
	text := strings.ReplaceAll(e.err.Error(), "\n", "; ")
	if mistakes := fieldsIn(e.err); len(mistakes) > 0 {
		text = strings.Join(mistakes, "; ")
	}
	return fmt.Sprintf("line %d: %s", e.number, oneLine(text))
}

// fieldsIn returns the invalid fields of a notification, by the API's names.
func fieldsIn(err error) (mistakes []string) {
	for _, e := range validationErrors(err) {
		if e.Field == "" {
			mistakes = append(mistakes, e.Reason)
		} else {
			mistakes = append(mistakes, e.Field+": "+e.Reason)
		}
	}
	return mistakes
}

func (e *lineError) Unwrap() error { return e.err }
