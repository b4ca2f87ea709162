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
// an outage, its worker waits before it takes the next, up to 5 s, so that an outage does
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
		sending, cancel := context.WithCancel(ctx)
		f := &fanOut{
			slots:     make(chan struct{}, concurrency),
			pulled:    make(chan Result),
			results:   make(chan Result),
			drained:   make(chan struct{}),
			abandoned: make(chan struct{}),
			stopped:   make(chan struct{}),
		}
		f.stop = sync.OnceFunc(func() {
			cancel()
			close(f.stopped)
		})
		go f.guard(func() {
			defer close(f.drained)
			f.pull(sending, ns, func(first Result) { c.work(sending, f, first) })
		})
		go f.finish(ctx)
		defer f.rethrow()
		defer func() {
			f.stop()
			for range f.results { // until the last worker has ended
			}
		}()
		for r := range f.results {
			if !yield(r) {
				return
			}
		}
	}
}

// A worker that could not send at all waits before it goes on, for twice as long each time.
const (
	minOutageWait = 250 * time.Millisecond
	maxOutageWait = 5 * time.Second
)

// work sends first, and then what is pulled, one after the other. A new goroutine for
// each would cost more, since net/http goes deeper than the stack that one starts with.
func (c *Client) work(ctx context.Context, f *fanOut, first Result) {
	var wait time.Duration
	for r, ok := first, true; ok; r, ok = f.next() {
		r.Receipt, r.Err = c.Send(ctx, r.Notification)
		f.deliver(r)
		if failure, failed := errors.AsType[*SendError](r.Err); failed && failure.Outcome == NotSent && failure.Retryable() {
			wait = min(max(2*wait, minOutageWait), maxOutageWait)
			f.sleep(ctx, wait)
		} else {
			wait = 0
		}
	}
}
