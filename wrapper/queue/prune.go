package queue

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// pruneAge is how long what is done stays: for as long as its key must be known.
const pruneAge = keyMemory + time.Hour

// prune drops what is done from the front of the stream, and keeps the last position.
func (q *Queue) prune(ctx context.Context) error {
	workers, err := q.workers.Info(ctx)
	if err != nil {
		return err
	}
	info, err := q.stream.Info(ctx)
	if err != nil {
		return err
	}
	end := workers.AckFloor.Stream + 1 // the first that is to stay
	last, err := q.stream.GetLastMsgForSubject(ctx, q.numberedSubject())
	switch {
	case err == nil:
		end = min(end, last.Sequence)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return err
	}
	first := info.State.FirstSeq
	if end <= first {
		return nil
	}
	tooYoung := q.now().Add(-pruneAge)
	var failed error
	n := sort.Search(int(end-first), func(i int) bool {
		msg, err := q.stream.GetMsg(ctx, first+uint64(i))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound): // removed by hand
			return false
		case err != nil:
			failed = err
			return true
		}
		return msg.Time.After(tooYoung)
	})
	if failed != nil || n == 0 {
		return failed
	}
	if err := q.stream.Purge(ctx, jetstream.WithPurgeSequence(first+uint64(n))); err != nil {
		return fmt.Errorf("purging: %w", err)
	}
	return nil
}
