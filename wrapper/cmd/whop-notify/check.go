package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// manifest is the result of checking a whole input.
type manifest struct {
	Sum           string `json:"sha256"`
	Lines         int    `json:"lines"`
	Notifications int    `json:"notifications"`
	Everybody     int    `json:"everybody"` // how many go to everybody in their target
}

// maxComplaints is how many bad lines are named. Then nothing more is read.
const maxComplaints = 20

var (
	errNothing   = errors.New("nothing to send: the input has no notification")
	errEnough    = errors.New("nothing after that was checked")
	errBroadcast = errors.New("goes to everybody in its target, which --no-broadcast refuses")
)

// check reads everything before anything is sent. Its error names each line that is not a
// notification, repeats an earlier line's key, or goes to everybody although --no-broadcast
// forbids that.
func check(ctx context.Context, r io.Reader, noBroadcast bool) (manifest, error) {
	c := checker{noBroadcast: noBroadcast, seed: maphash.MakeSeed(), keys: map[uint64]int{}}
	lines := newLineReader(r)
	err := lines.each(func(line []byte) error {
		if err := c.line(lines.number, line); err != nil {
			c.errs = append(c.errs, &lineError{lines.number, err})
		}
		if len(c.errs) == maxComplaints {
			return errEnough
		}
		return context.Cause(ctx)
	})
	switch {
	case err != nil:
		c.errs = append(c.errs, err)
	case c.found.Notifications == 0 && len(c.errs) == 0:
		return c.found, errNothing
	}
	c.found.Sum, c.found.Lines = lines.sum(), lines.number
	return c.found, errors.Join(c.errs...)
}

type checker struct {
	noBroadcast bool
	found       manifest
	seed        maphash.Seed
	keys        map[uint64]int // line by hash, for there may be millions
	errs        []error
}

func (c *checker) line(number int, line []byte) error {
	n, err := parseLine(line)
	if err != nil {
		return err
	}
	body, err := n.MarshalJSON()
	if err != nil {
		return err
	}
	if len(body) > queue.MaxEmbeddedBody {
		return fmt.Errorf("takes %d bytes, over the %d of a queue", len(body), queue.MaxEmbeddedBody)
	}
	c.found.Notifications++
	if toEverybody(body) {
		if c.found.Everybody++; c.noBroadcast {
			return errBroadcast
		}
	}
	return c.key(number, n)
}

// toEverybody reports whether the body of a valid notification does not narrow its target.
func toEverybody(body []byte) bool {
	var audience struct {
		UserIDs json.RawMessage `json:"user_ids"`
	}
	return json.Unmarshal(body, &audience) == nil && audience.UserIDs == nil
}

func (c *checker) key(number int, n whop.Notification) error {
	key := n.IdempotencyKey()
	if key == "" {
		return nil
	}
	hash := maphash.String(c.seed, key)
	if first, taken := c.keys[hash]; taken {
		return fmt.Errorf("%s: is that of line %d", keyField, first)
	}
	c.keys[hash] = number
	return nil
}

// sayEverybody prints how many go to everybody, before anything is sent.
func (m manifest) sayEverybody(w io.Writer) {
	if m.Everybody > 0 {
		fmt.Fprintf(w, "%d of %s: to everybody in the target\n", m.Everybody, counted(m.Notifications))
	}
}
