package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// lingerTime is how long it stays written down that an attempt began, after it was
	// settled: until the server has certainly stored the acknowledgement.
	lingerTime    = 2 * time.Second
	pruneInterval = 10 * time.Minute
	// pruneAge is how long what is done stays: for as long as its key must be known.
	pruneAge = keyMemory + time.Hour
)

const successKey = "success"

// keepUp does what is due each second, and now and then, until ctx ends.
func (w *worker) keepUp(ctx, settling context.Context) {
	q := w.queue
	for pruned := (time.Time{}); ; {
		if time.Since(pruned) >= pruneInterval {
			pruned = time.Now()
			if err := errors.Join(q.prune(ctx), q.pruneAttempts(ctx)); err != nil && ctx.Err() == nil {
				q.logger.WarnContext(ctx, "queue: what is done could not be dropped, will try again", "error", err)
			}
		}
		if !sleep(ctx, time.Second) {
			break
		}
		w.stopIfRefused(ctx)
		w.forget(ctx)
		w.noteSuccess(ctx)
	}
	w.noteSuccess(settling)
}

func (w *worker) stopIfRefused(ctx context.Context) {
	last, n, targets := w.refusals.conclusive(func() (int, error) {
		s, err := w.queue.Stats(ctx)
		return s.Waiting + s.Retrying + s.InFlight, err
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
		w.done.succeed()
	}
}

// noteSuccess writes down when the last notification was queued, for Stats.
func (w *worker) noteSuccess(ctx context.Context) {
	last, ok := w.done.lastSuccess()
	if !ok {
		return
	}
	if err := w.queue.ask(ctx, func(ctx context.Context) error {
		_, err := w.queue.state.Put(ctx, successKey, []byte(formatTime(last)))
		return err
	}); err != nil && w.warned.now() {
		w.queue.logger.WarnContext(ctx, "queue: the last success could not be noted", "error", err)
	}
}

// finished is what a worker has settled.
type finished struct {
	mu      sync.Mutex
	count   int
	begun   []begun // oldest first
	at      []time.Time
	success time.Time // the last; zero: noted
}

// next numbers the deliveries of a worker.
func (f *finished) next() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	return f.count
}

func (f *finished) add(b begun) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.seq > 0 {
		f.begun, f.at = append(f.begun, b), append(f.at, time.Now())
	}
}

func (f *finished) succeed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.success = time.Now()
}

func (f *finished) lastSuccess() (last time.Time, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	last, f.success = f.success, time.Time{}
	return last, !last.IsZero()
}

// take returns what was settled long enough ago.
func (f *finished) take() []begun {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := sort.Search(len(f.at), func(i int) bool { return time.Since(f.at[i]) < lingerTime })
	old := f.begun[:n:n]
	f.begun, f.at = f.begun[n:], f.at[n:]
	return old
}

// forget removes what was written down before attempts that are settled. What fails stays
// until prune.
func (w *worker) forget(ctx context.Context) {
	for _, b := range w.done.take() {
		if err := w.queue.ended(ctx, b); err != nil {
			return
		}
	}
}

// prune drops what is done from the front of the line, but keeps the last position.
func (q *Queue) prune(ctx context.Context) error {
	end, err := q.firstToStay(ctx)
	if err != nil || end == 0 {
		return err
	}
	numberedEnd := end
	last, err := q.get(ctx, q.line, 0, q.numberedSubject())
	switch {
	case err == nil:
		numberedEnd = min(end, last.Sequence)
	case !errors.Is(err, jetstream.ErrMsgNotFound):
		return err
	}
	for subject, end := range map[string]uint64{q.plainSubject(): end, q.numberedSubject(): numberedEnd} {
		if err := q.ask(ctx, func(ctx context.Context) error {
			return q.line.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(end))
		}); err != nil {
			return fmt.Errorf("purging: %w", err)
		}
	}
	return nil
}

// firstToStay is the number of the first notification that is not done or not old; 0 if
// there is nothing before it.
func (q *Queue) firstToStay(ctx context.Context) (uint64, error) {
	workers, err := q.consumerInfo(ctx, q.fresh)
	if err != nil {
		return 0, err
	}
	info, err := q.info(ctx, q.line, "")
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
		msg, err := q.get(ctx, q.line, first+uint64(i), "")
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

// pruneAttempts removes what workers that were killed have written down, once the notification
// is settled: of what is an hour old, so that a server which forgot an acknowledgement finds it.
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

// isSettled reports whether nobody will ask any more for what was written down.
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
	number, _, _ := strings.Cut(what, ".")
	f, err := q.become(ctx, max(1, parseNumber(number)))
	return err == nil && (f.State != Waiting || delivery(f.id, f.step) != what && f.at > 0), err
}
