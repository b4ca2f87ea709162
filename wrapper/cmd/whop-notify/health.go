package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// stuckAfter is how long a process may attempt nothing while notifications wait. Whop and the
// rate limit ask for waits of minutes at most.
const stuckAfter = 15 * time.Minute

// health says whether a process can do its work.
type health struct {
	ending  context.Context // ends when the process must take no more
	metrics *metrics
	opened  atomic.Pointer[openedQueue] // nil: not yet
}

// openedQueue is a queue that a process enqueues into or sends from.
type openedQueue struct {
	since time.Time
	works bool // this process sends from it
	stats *cached[queue.Stats]
	check *cached[struct{}]
}

// open is called once the queue is open.
func (h *health) open(q watchedQueue, works bool) {
	opened := &openedQueue{
		since: time.Now(), works: works,
		stats: newCached(q.Stats),
		check: newCached(func(ctx context.Context) (struct{}, error) { return struct{}{}, q.Check(ctx) }),
	}
	h.metrics.registerer.MustRegister(&queueCollector{stats: opened.stats})
	h.opened.Store(opened)
}

// ready returns why the process should get no traffic now, and what to do about it.
func (h *health) ready() error {
	opened := h.opened.Load()
	switch {
	case h.ending.Err() != nil:
		return errors.New("ending: it takes no more, and finishes what is in flight")
	case opened == nil:
		return errors.New("starting: the queue is not open yet; if this lasts, the log says why")
	}
	if _, err := opened.check.get(); err != nil {
		return fmt.Errorf("the queue cannot store: see that NATS runs and can be reached, and that its disk has room: %s", oneLine(shorten(err.Error(), 300)))
	}
	stats, err := opened.stats.get()
	if err != nil {
		return fmt.Errorf("the queue does not answer: see that NATS runs and can be reached: %s", oneLine(shorten(err.Error(), 300)))
	}
	return opened.stuck(stats, h.metrics.lastAttempt.Load())
}

// stuck reports a process that should send but does not. It looks at attempts, not at successes:
// if Whop refuses or is away, another process would do no better. A process is not stuck while
// others send.
func (o *openedQueue) stuck(s queue.Stats, lastAttempt *time.Time) error {
	if !o.works || s.Waiting == 0 || s.Oldest < stuckAfter || time.Since(s.LastSuccess) < stuckAfter {
		return nil
	}
	moved := o.since
	if lastAttempt != nil {
		moved = *lastAttempt
	}
	if still := time.Since(moved); still >= stuckAfter {
		return fmt.Errorf("nothing moves: %d notifications wait, the oldest for %v, and this process has made no attempt for %v; keep its log, and start it again",
			s.Waiting, s.Oldest.Round(time.Second), still.Round(time.Second))
	}
	return nil
}
