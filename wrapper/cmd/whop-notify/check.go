package main

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

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
