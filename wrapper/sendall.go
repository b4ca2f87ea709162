package wrapper

import (
	"context"
	"iter"
	"sync/atomic"
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
