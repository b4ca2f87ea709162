package wrapper

import (
	"context"
	"iter"
	"runtime"
	"sync"
)

// Result is what became of one notification of [Client.SendAll].
type Result struct {
	Index        int // of the notification in the sequence, from 0
	Notification Notification
	Receipt      *Receipt // nil if Err is not
	Err          error    // nil or a *SendError
}

const defaultConcurrency = 16

// SendAll sends every notification of ns, up to concurrency at a time (under 1 means
// 16), and yields the results as they come, in no order. It holds no more than that
// many notifications, however many there are: it pulls the next one only when one of
// the last has been sent and its result taken. Each is sent as by [Client.Send], with
// the pacing, the hold after a 429 and the retry budget that the client shares.
//
// When ctx ends, no more is pulled, and what was pulled still yields its result. When
// the caller stops ranging, what is in flight is cancelled and awaited, and so is ns,
// if it is just then producing a notification. ns runs in a goroutine of its own, so a
// slow one holds back no result; a panic in it surfaces in the goroutine that ranges.
func (c *Client) SendAll(ctx context.Context, ns iter.Seq[Notification], concurrency int) iter.Seq[Result] {
	if concurrency < 1 {
		concurrency = defaultConcurrency
	}
	return func(yield func(Result) bool) {
		ctx, cancel := context.WithCancel(ctx)
		f := &fanOut{
			slots:   make(chan struct{}, concurrency),
			pulled:  make(chan Result),
			results: make(chan Result),
			stopped: make(chan struct{}),
		}
		f.stop = sync.OnceFunc(func() {
			cancel()
			close(f.stopped)
		})
		f.workers.Go(f.guard(func() { c.pull(ctx, ns, f) }))
		go func() {
			f.workers.Wait()
			close(f.results)
		}()
		defer f.rethrow()
		defer func() {
			f.stop()
			for range f.results { // until the last goroutine has ended
			}
		}()
		for r := range f.results {
			if !yield(r) {
				return
			}
		}
	}
}

// pull takes notifications from ns, each only once there is a slot for it, and hands
// them to workers, of which it starts no more than it needs.
func (c *Client) pull(ctx context.Context, ns iter.Seq[Notification], f *fanOut) {
	defer close(f.pulled)
	if !f.acquire(ctx) {
		return
	}
	index, started := 0, 0
	for n := range ns {
		if f.isStopped() {
			return
		}
		r := Result{Index: index, Notification: n}
		index++
		select {
		case f.pulled <- r: // to one that waits
		default:
			if started < cap(f.slots) {
				started++
				f.workers.Go(f.guard(func() { c.work(ctx, f) }))
			}
			select {
			case f.pulled <- r:
			case <-f.stopped:
				return
			}
		}
		if !f.acquire(ctx) {
			return
		}
	}
}

// work sends what was pulled, one after the other. A new goroutine for each would cost
// more, since net/http goes deeper than the stack that one starts with.
func (c *Client) work(ctx context.Context, f *fanOut) {
	for r := range f.pulled {
		r.Receipt, r.Err = c.Send(ctx, r.Notification)
		f.deliver(r)
	}
}

// fanOut is what the goroutines of one SendAll share.
type fanOut struct {
	workers sync.WaitGroup
	slots   chan struct{}
	pulled  chan Result // without what became of them
	results chan Result
	stopped chan struct{} // closed when no more results are wanted
	stop    func()        // closes it, and cancels what is in flight

	mu     sync.Mutex
	thrown bool
	value  any // of the first panic; nil for runtime.Goexit
}

// acquire waits for a slot, and reports whether there is reason to use it.
func (f *fanOut) acquire(ctx context.Context) bool {
	select {
	case f.slots <- struct{}{}:
		return ctx.Err() == nil && !f.isStopped()
	case <-ctx.Done():
	case <-f.stopped:
	}
	return false
}

func (f *fanOut) deliver(r Result) {
	select {
	case f.results <- r:
		<-f.slots
	case <-f.stopped:
	}
}

func (f *fanOut) isStopped() bool {
	select {
	case <-f.stopped:
		return true
	default:
		return false
	}
}

// guard makes a panic of do, or its Goexit, stop the others and be kept for rethrow.
func (f *fanOut) guard(do func()) func() {
	return func() {
		returned := false
		defer func() {
			if returned {
				return
			}
			value := recover()
			f.mu.Lock()
			if !f.thrown {
				f.thrown, f.value = true, value
			}
			f.mu.Unlock()
			f.stop()
		}()
		do()
		returned = true
	}
}

// rethrow ends the goroutine that ranges as guard saw another one end.
func (f *fanOut) rethrow() {
	switch {
	case !f.thrown:
	case f.value == nil:
		runtime.Goexit()
	default:
		panic(f.value)
	}
}
