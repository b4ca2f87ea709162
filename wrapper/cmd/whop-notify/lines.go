package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/maphash"
	"io"
	"strings"
	"unicode/utf8"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
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

// next gives the next line that is not blank, or io.EOF.
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

// sum is that of all that was read: at the end, of the whole file.
func (l *lineReader) sum() string { return hex.EncodeToString(l.digest.Sum(nil)) }

// lineError is what is wrong with a line.
type lineError struct {
	number int
	err    error
}

func (e *lineError) Error() string {
	text := strings.ReplaceAll(e.err.Error(), "whop: invalid notification: ", "")
	return fmt.Sprintf("line %d: %s", e.number, strings.ReplaceAll(text, "\n", "; "))
}
func (e *lineError) Unwrap() error { return e.err }

const keyField = "idempotency_key"

// parseLine reads the API's body with, optionally, an idempotency key among its fields.
func parseLine(line []byte) (n whop.Notification, err error) {
	key, body, err := splitKey(line)
	if err != nil {
		return n, err
	}
	if err := n.UnmarshalJSON(body); err != nil {
		return n, err
	}
	if key != nil {
		n = n.WithIdempotencyKey(*key)
	}
	return n, n.Validate()
}

// splitKey takes the idempotency key out of an object, and leaves everything else as it is,
// for Notification to be strict about.
func splitKey(line []byte) (key *string, body []byte, err error) {
	if !utf8.Valid(line) || !json.Valid(line) || !bytes.Contains(line, []byte("idempotency")) && !bytes.ContainsRune(line, '\\') {
		return nil, line, nil
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, line, nil
	}
	rest := []byte{'{'}
	for found := false; dec.More(); {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, err
		}
		if name != keyField {
			quoted, err := json.Marshal(name)
			if err != nil {
				return nil, nil, err
			}
			if len(rest) > 1 {
				rest = append(rest, ',')
			}
			rest = append(append(append(rest, quoted...), ':'), value...)
			continue
		}
		if found {
			return nil, nil, &whop.ValidationError{Field: keyField, Reason: "given twice"}
		}
		found = true
		if err := json.Unmarshal(value, &key); err != nil {
			return nil, nil, &whop.ValidationError{Field: keyField, Reason: "must be a string"}
		}
	}
	return key, append(rest, '}'), nil
}

// manifest is what a check of a whole file finds.
type manifest struct {
	Sum           string `json:"sha256"`
	Notifications int    `json:"notifications"`
}

// maxComplaints is how many bad lines are named.
const maxComplaints = 20

// check reads everything before anything is sent. Its error names each line that is no
// notification, or that has the key of one before.
func check(r io.Reader) (manifest, error) {
	var m manifest
	var errs []error
	more := 0
	complain := func(number int, err error) {
		if len(errs) < maxComplaints {
			errs = append(errs, &lineError{number, err})
		} else {
			more++
		}
	}
	seed := maphash.MakeSeed()
	keys := map[uint64]int{} // hashes, for there may be millions
	lines := newLineReader(r)
	err := lines.each(func(line []byte) error {
		n, err := parseLine(line)
		if err != nil {
			complain(lines.number, err)
			return nil
		}
		body, err := n.MarshalJSON()
		if err != nil {
			return err
		}
		if len(body) > queue.MaxEmbeddedBody {
			complain(lines.number, fmt.Errorf("takes %d bytes, over the %d of a queue", len(body), queue.MaxEmbeddedBody))
			return nil
		}
		m.Notifications++
		if key := n.IdempotencyKey(); key != "" {
			hash := maphash.String(seed, key)
			if first, taken := keys[hash]; taken {
				complain(lines.number, fmt.Errorf("%s: is that of line %d", keyField, first))
			} else {
				keys[hash] = lines.number
			}
		}
		return nil
	})
	if err != nil {
		errs = append(errs, err)
	}
	if more > 0 {
		errs = append(errs, fmt.Errorf("and %d more lines", more))
	}
	m.Sum = lines.sum()
	return m, errors.Join(errs...)
}

// pass goes through a file that was checked. A line without a key of its own gets one made
// from run and its number, the same each time. It fails at the end if the file is not the
// one that was checked.
func pass(r io.Reader, m manifest, run string, each func(number int, n whop.Notification) error) error {
	lines := newLineReader(r)
	err := lines.each(func(line []byte) error {
		n, err := parseLine(line)
		if err != nil {
			return errors.Join(errChanged, &lineError{lines.number, err})
		}
		if n.IdempotencyKey() == "" {
			n = n.WithIdempotencyKey(fmt.Sprintf("%s-%d", run, lines.number))
		}
		return each(lines.number, n)
	})
	if err != nil {
		return err
	}
	if lines.sum() != m.Sum {
		return errChanged
	}
	return nil
}

var errChanged = errors.New("the file changed while it was read")
