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

// prune drops what is done from the front of the stream, but keeps the last position.
func (q *Queue) prune(ctx context.Context) error {
	if err := q.dead.Purge(ctx, jetstream.WithPurgeSubject(q.rekeyedSubject())); err != nil {
		return err
	}
	end, err := q.firstToStay(ctx)
	if err != nil || end == 0 {
		return err
	}
	numberedEnd := end
	last, err := q.stream.GetLastMsgForSubject(ctx, q.numberedSubject())
	switch {
	case err == nil:
		numberedEnd = min(end, last.Sequence)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return err
	}
	for subject, end := range map[string]uint64{q.plainSubject(): end, q.numberedSubject(): numberedEnd} {
		if err := q.stream.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(end)); err != nil {
			return fmt.Errorf("purging: %w", err)
		}
	}
	return nil
}

// firstToStay is the number of the first notification that is not done or not old; 0 if
// there is nothing before it.
func (q *Queue) firstToStay(ctx context.Context) (uint64, error) {
	workers, err := q.workers.Info(ctx)
	if err != nil {
		return 0, err
	}
	info, err := q.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	first, end := info.State.FirstSeq, workers.AckFloor.Stream+1
	tooYoung := q.now().Add(-pruneAge)
	if end <= first || info.State.FirstTime.After(tooYoung) {
		return 0, nil
	}
	var failed error
	n := sort.Search(int(end-first), func(i int) bool {
		msg, err := q.stream.GetMsg(ctx, first+uint64(i))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound): // dropped already
			return false
		case err != nil:
			failed = err
			return true
		}
		return msg.Time.After(tooYoung)
	})
	return first + uint64(n), failed
}
