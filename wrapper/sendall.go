package wrapper

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what became of one notification of [Client.SendAll].
type Result struct {
	Index        int // of the notification in the sequence, from 0; -1 if the error is about no notification
	Notification Notification
	Receipt      *Receipt // nil if Err is not
	Err          error    // nil or a *SendError
}

const defaultConcurrency = 16

// SendAll sends every notification of ns, up to concurrency at a time (under 1 means
// 16), and yields the results as they come, in no order. It holds no more than that
// many notifications, however many there are: it pulls the next only after an earlier
// result was consumed. Each is sent as by [Client.Send], with the pacing, the hold after
// a 429 and the retry budget that the client shares. Where one cannot be sent at all, as in
// an outage, the one that takes its place waits first, up to 5 s, so that an outage does
// not use up the sequence.
//
// To stop, cancel ctx and range on: no more is pulled, and everything that was pulled
// still yields its result. If you break out of the range instead, what is in flight is
// cancelled and awaited, its results are lost, and so is whether it was queued: up to
// concurrency notifications after the last result.
//
// ns runs in a goroutine of its own, so a slow one holds back no result; a panic in it
// surfaces in the goroutine that ranges. The range ends when ctx ends, also where ns blocks;
// until then a break waits for ns to produce its next notification. The result is for one
// range: another one sends nothing, and yields one [Result] with Index -1 and an error.
func (c *Client) SendAll(ctx context.Context, ns iter.Seq[Notification], concurrency int) iter.Seq[Result] {
	if concurrency < 1 {
		concurrency = defaultConcurrency
	}
	var ranged atomic.Bool
	return func(yield func(Result) bool) {
		err := c.usable(ctx)
		switch {
		case err != nil:
		case ns == nil:
			err = misuse("whop: the sequence of SendAll is nil")
		case ranged.Swap(true):
			err = misuse("whop: SendAll is for one range; call it again to send again")
		}
		if err != nil {
			yield(Result{Index: -1, Err: &SendError{Outcome: NotSent, Err: err}})
			return
		}
		f := newFanOut(ctx, c, concurrency)
		go f.run(ctx, ns)
		defer f.rethrow()
		defer func() {
			f.cancel()
			for range f.results { // until the last send has ended
			}
		}()
		for r := range f.results {
			if !yield(r) {
				return
			}
		}
	}
}

// fanOut is one range over SendAll: a goroutine that pulls the sequence, one for each send, and
// the caller's, which takes the results.
type fanOut struct {
	send    func(context.Context, Notification) (*Receipt, error)
	ctx     context.Context // of the sends
	cancel  func()
	slots   chan time.Duration // the free ones; each has how long its next send waits first, after an outage
	results chan Result
	drained chan struct{} // closed when nothing more is pulled

	mu        sync.Mutex
	sends     sync.WaitGroup
	abandoned bool    // the sequence is left to itself
	thrown    *ending // the first that was no return
}

func newFanOut(ctx context.Context, c *Client, concurrency int) *fanOut {
	f := &fanOut{
		send:    c.Send,
		slots:   make(chan time.Duration, concurrency),
		results: make(chan Result),
		drained: make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithCancel(ctx)
	for range concurrency {
		f.slots <- 0
	}
	return f
}

// sourceGrace is how long a sequence may take after the end of the context: what it is just
// then producing still yields its result.
const sourceGrace = 100 * time.Millisecond

// run sends what it takes from ns, and closes the results after the last. When ctx has ended, it
// leaves ns to itself.
func (f *fanOut) run(ctx context.Context, ns iter.Seq[Notification]) {
	defer close(f.results)
	go func() {
		defer close(f.drained)
		f.guard(func() { f.pull(ns) })
	}()
	select {
	case <-f.drained:
	case <-ctx.Done():
		grace := time.NewTimer(sourceGrace)
		defer grace.Stop()
		select {
		case <-f.drained:
		case <-grace.C:
			f.mu.Lock()
			f.abandoned = true
			f.mu.Unlock()
		}
	}
	f.sends.Wait()
}

// pull takes notifications from ns, each only once there is a slot for it.
func (f *fanOut) pull(ns iter.Seq[Notification]) {
	index := 0
	slot, ok := f.slot()
	if !ok {
		return
	}
	for n := range ns {
		r, wait := Result{Index: index, Notification: n}, slot
		if !f.start(func() {
			if wait > 0 {
				_ = sleep(f.ctx, wait) // if the context ends, send says so
			}
			r.Receipt, r.Err = f.send(f.ctx, n)
			f.results <- r
			f.slots <- outageWait(wait, r.Err)
		}) {
			return
		}
		index++
		if slot, ok = f.slot(); !ok {
			return
		}
	}
}

// slot waits for a free one, and reports whether there is reason to use it.
func (f *fanOut) slot() (wait time.Duration, ok bool) {
	select {
	case wait = <-f.slots:
	case <-f.ctx.Done():
	}
	return wait, f.ctx.Err() == nil
}

// start starts a send, unless nobody waits for it any more.
func (f *fanOut) start(send func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.abandoned {
		f.sends.Go(func() { f.guard(send) })
	}
	return !f.abandoned
}

// After a send that could not be made at all, the next in its slot waits, for twice as long each
// time.
const (
	minOutageWait = 250 * time.Millisecond
	maxOutageWait = 5 * time.Second
)

// outageWait returns how long to wait after a send that waited before, and ended with err.
func outageWait(waited time.Duration, err error) time.Duration {
	failure, failed := errors.AsType[*SendError](err)
	if !failed || failure.Outcome != NotSent || !failure.Retryable() {
		return 0
	}
	return min(max(2*waited, minOutageWait), maxOutageWait)
}

// guard keeps a panic of do, or its Goexit, for rethrow, and ends the others.
func (f *fanOut) guard(do func()) {
	var end ending
	defer func() {
		if end.returned {
			return
		}
		f.mu.Lock()
		if f.thrown == nil {
			f.thrown = &end
		}
		f.mu.Unlock()
		f.cancel()
	}()
	defer end.keep()
	do()
	end.returned = true
}

// rethrow ends the goroutine that ranges as guard saw another one end.
func (f *fanOut) rethrow() {
	f.mu.Lock()
	thrown := f.thrown
	f.mu.Unlock()
	if thrown != nil {
		thrown.resume()
	}
}
