package queue

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// attemptLogMemory is how long the log goes back. What has been in the queue for
	// longer may have been attempted.
	attemptLogMemory = 30 * 24 * time.Hour
	// attemptPeriod is what one entry of the log covers.
	attemptPeriod = 10 * time.Minute
	// minStride is how many notifications a worker writes ahead, so that it need not write
	// for each. One that would write more often than once a second writes more ahead: what
	// it does in two seconds.
	minStride = 16
)

// attemptLog says since when a notification may have been attempted, also if the worker
// was killed while it did, and the server before it had stored that it gave it out.
//
// Workers come through the stream in order. So it is enough to write down how far they
// have come, and when: before a worker attempts a notification beyond the sequence number
// that it wrote last, it writes a higher one. What is beyond all numbers of a time had not
// been attempted then. The number stands in an entry for each worker and period.
type attemptLog struct {
	kv     jetstream.KeyValue
	sync   func(context.Context) error
	now    func() time.Time
	worker string

	mu      sync.Mutex
	reached uint64
	stride  uint64
	wrote   time.Time
	lasting uint64 // up to where the notifications themselves are on the disk

	read  time.Time // when marks was
	marks []mark    // by time; reached is the highest so far
}

// mark is that by the end of the period that begins at since, sequence numbers up to
// reached may have been attempted.
type mark struct {
	since   time.Time
	reached uint64
}

func (q *Queue) newAttemptLog(kv jetstream.KeyValue) *attemptLog {
	return &attemptLog{kv: kv, sync: q.Sync, now: q.now, worker: uuid.NewString()}
}

// reach makes sure that it is written down, before it returns nil, that the notification
// of this number may be attempted from now on.
func (l *attemptLog) reach(ctx context.Context, seq uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if seq <= l.reached && now.Sub(l.wrote) < attemptLogMemory/2 {
		return nil
	}
	switch since := now.Sub(l.wrote); {
	case l.stride == 0 || since > 4*time.Second:
		l.stride = minStride
	case since < time.Second:
		l.stride *= 2
	}
	next := max(seq+l.stride-1, l.reached)
	period := now.Truncate(attemptPeriod).Unix()
	if _, err := l.kv.Put(ctx, fmt.Sprintf("%d.%s", period, l.worker), []byte(strconv.FormatUint(next, 10))); err != nil {
		return fmt.Errorf("writing down that attempts begin: %w", err)
	}
	if err := l.sync(ctx); err != nil {
		return err
	}
	l.reached, l.wrote = next, now
	return nil
}

// last makes sure that a notification which was enqueued without waiting for the disk is on
// it before it is attempted; what the worker has got by now, up to seen, shares the sync.
func (l *attemptLog) last(ctx context.Context, seq, seen uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq <= l.lasting {
		return nil
	}
	if err := l.sync(ctx); err != nil {
		return err
	}
	l.lasting = seen
	return nil
}

// highest is how far attempts may have come by now, of all workers.
func (l *attemptLog) highest(ctx context.Context) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	marks, err := l.load(ctx)
	if err != nil || len(marks) == 0 {
		return 0, err
	}
	return marks[len(marks)-1].reached, nil
}

// since is the earliest time at which the notification may have been attempted, give or take
// a period: a recent one if nothing says that it was.
func (l *attemptLog) since(ctx context.Context, seq uint64) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.read) >= attemptPeriod || now.Before(l.read) {
		marks, err := l.load(ctx)
		if err != nil {
			return time.Time{}, err
		}
		l.marks, l.read = marks, now
	}
	i := sort.Search(len(l.marks), func(i int) bool { return l.marks[i].reached >= seq })
	if i == len(l.marks) {
		return l.read, nil
	}
	return l.marks[i].since, nil
}

func (l *attemptLog) load(ctx context.Context) (marks []mark, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("reading when attempts began: %w", err)
		}
	}()
	watcher, err := l.kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watcher.Stop() }()
	for {
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case entry, open := <-watcher.Updates():
			if !open {
				return nil, jetstream.ErrConsumerNotFound
			}
			if entry == nil { // all that there was
				return rising(marks), nil
			}
			period, _, _ := strings.Cut(entry.Key(), ".")
			unix, err := strconv.ParseInt(period, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the key %q: %w", entry.Key(), err)
			}
			reached, err := strconv.ParseUint(string(entry.Value()), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("the value of %q: %w", entry.Key(), err)
			}
			marks = append(marks, mark{time.Unix(unix, 0), reached})
		}
	}
}

// rising sorts marks by time, and leaves out those that reach no further than one before.
func rising(marks []mark) []mark {
	sort.Slice(marks, func(i, j int) bool { return marks[i].since.Before(marks[j].since) })
	kept := marks[:0]
	for _, m := range marks {
		if len(kept) == 0 || m.reached > kept[len(kept)-1].reached {
			kept = append(kept, m)
		}
	}
	return kept
}
