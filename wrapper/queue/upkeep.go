package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	pruneInterval = 10 * time.Minute
	// pruneAge is how long a finished notification stays: as long as its key must be known.
	pruneAge = keyMemory + time.Hour
)

const successKey = "success"

// tidyUp removes what is done, now and each pruneInterval, until ctx ends.
func (w *worker) tidyUp(ctx context.Context) {
	q := w.queue
	for {
		if err := errors.Join(q.prune(ctx), q.pruneAttempts(ctx)); err != nil && ctx.Err() == nil {
			q.logger.WarnContext(ctx, "queue: cannot remove notifications that are done, will try again", "error", err)
		}
		if !sleep(ctx, pruneInterval) {
			return
		}
	}
}

// keepUp does what a worker does each second, until ctx ends.
func (w *worker) keepUp(ctx context.Context) {
	for sleep(ctx, time.Second) {
		w.stopIfRefused(ctx)
		w.noteSuccess(ctx)
		w.look(ctx)
	}
}

// look asks the server how far the line is settled, and what time it is there.
func (w *worker) look(ctx context.Context) {
	if info, err := w.queue.consumerInfo(ctx, w.queue.fresh); err == nil {
		w.floor.Store(info.AckFloor.Stream)
	}
	if now, err := w.clock.now(ctx, w.queue.serverTime); err == nil {
		w.ahead.Store(int64(time.Until(now)))
	}
}

// serverTime returns what time it is at the NATS server, whose clock decides when a notification
// is due.
func (w *worker) serverTime() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *worker) stopIfRefused(ctx context.Context) {
	last, n, targets := w.refusals.conclusive(func() (all, now int, err error) {
		s, err := w.queue.Stats(ctx)
		return s.Waiting + s.InFlight + s.Retrying, s.Waiting + s.InFlight, err
	})
	if last != nil {
		w.stop(fmt.Errorf("%w: Whop refused everything, %d notifications to %d targets in a row, which stay in the queue: check the API key, its permissions and the base URL: %w", errStopped, n, targets, last))
	}
}

// answered is called when Whop has shown that it accepts the client.
func (w *worker) answered(queued bool) {
	w.brake.worked()
	w.refusals.prove()
	if queued {
		w.success.Store(time.Now().UnixNano())
	}
}

// noteSuccess records when the last notification was queued, for Stats.
func (w *worker) noteSuccess(ctx context.Context) {
	last := w.success.Swap(0)
	if last == 0 {
		return
	}
	if _, err := w.queue.put(ctx, successKey, []byte(formatTime(time.Unix(0, last)))); err != nil && w.warned.now() {
		w.queue.logger.WarnContext(ctx, "queue: could not store the time of the last success", "error", err)
	}
}

// prune drops finished notifications from the front of the line, but keeps the last position.
func (q *Queue) prune(ctx context.Context) error {
	end, err := q.firstToStay(ctx)
	if err != nil || end == 0 {
		return err
	}
	ends := map[string]uint64{q.plainSubject(): end}
	last, err := q.get(ctx, q.line, 0, q.numberedSubject())
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	// If another publisher put the last one there, the last position is before it, unknown where.
	if err == nil && parseNumber(last.Header.Get(positionHeader)) > 0 {
		ends[q.numberedSubject()] = min(end, last.Sequence)
	}
	for subject, end := range ends {
		if err := q.ask(ctx, func(ctx context.Context) error {
			return q.line.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(end))
		}); err != nil {
			return fmt.Errorf("purging: %w", err)
		}
	}
	return nil
}

// firstToStay returns the number of the first notification that is unfinished or recent; 0 if
// there is nothing to drop before it.
func (q *Queue) firstToStay(ctx context.Context) (uint64, error) {
	workers, err := q.consumerInfo(ctx, q.fresh)
	if err != nil {
		return 0, err
	}
	info, err := q.info(ctx, q.line)
	if err != nil {
		return 0, err
	}
	first, end := info.State.FirstSeq, workers.AckFloor.Stream+1
	tooYoung := q.now().Add(-pruneAge)
	if info.State.Msgs == 0 || end <= first || info.State.FirstTime.After(tooYoung) {
		return 0, nil
	}
	var failed error
	n := sort.Search(int(end-first), func(i int) bool {
		msg, err := q.get(ctx, q.line, first+uint64(i), q.name+".send.>") // the next one that there still is
		if err != nil {
			if !errors.Is(err, jetstream.ErrMsgNotFound) {
				failed = err
			}
			return true
		}
		return msg.Time.After(tooYoung)
	})
	return first + uint64(n), failed
}

// pruneAttempts removes the records of killed workers, once their notifications are settled. It
// removes only records that are an hour old, because a server that forgot an acknowledgement
// still needs newer ones.
func (q *Queue) pruneAttempts(ctx context.Context) error {
	for seq := uint64(1); ; seq++ {
		msg, err := q.get(ctx, q.attempts, seq, q.begunSubject(">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		seq = msg.Sequence
		if time.Since(msg.Time) < time.Hour {
			return nil // and so are those after it
		}
		settled, err := q.isSettled(ctx, msg)
		if err == nil && settled {
			err = q.remove(ctx, q.attempts, seq)
		}
		if err != nil {
			return err
		}
	}
}

// isSettled reports whether a record is not needed any more.
func (q *Queue) isSettled(ctx context.Context, msg *jetstream.RawStreamMsg) (bool, error) {
	what := strings.TrimPrefix(msg.Subject, q.begunSubject(""))
	if number, ok := strings.CutPrefix(what, retryPrefix); ok {
		_, err := q.get(ctx, q.dead, max(1, parseNumber(number)), "")
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return true, nil
		}
		return false, err
	}
	var b begun
	if json.Unmarshal(msg.Data, &b) == nil && b.By == canceled && time.Since(msg.Time) < pruneAge {
		return false, nil
	}
	number, n, _ := strings.Cut(what, ".")
	f, err := q.become(ctx, max(1, parseNumber(number)))
	if b.By == sent {
		return err == nil && f.passed, err
	}
	return err == nil && f.past(int(parseNumber(n))), err
}
