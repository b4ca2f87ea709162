package wrapper

import (
	"context"
	"iter"
	"sync"
	"time"
)

// fanOut is what the goroutines of one SendAll share: one that pulls the sequence, the
// workers, one that finishes, and the caller's, which takes the results.
type fanOut struct {
	workers sync.WaitGroup
	slots   chan struct{}
	pulled  chan Result // without what became of them
	results chan Result

	drained   chan struct{} // closed when nothing more is pulled
	abandoned chan struct{} // closed when the sequence is left to itself
	stopped   chan struct{} // closed when no more results are wanted
	stop      func()        // closes it, and cancels what is in flight

	mu     sync.Mutex
	thrown *ending // the first that was no return
}

// sourceGrace is how long a sequence may take after the end of the context: what it is just
// then producing still yields its result.
const sourceGrace = 100 * time.Millisecond

// pull takes notifications from ns, each only once there is a slot for it, and hands
// them to workers, of which it starts no more than it needs.
func (f *fanOut) pull(ctx context.Context, ns iter.Seq[Notification], work func(first Result)) {
	if !f.acquire(ctx) {
		return
	}
	index, started := 0, 0
	for n := range ns {
		r := Result{Index: index, Notification: n}
		index++
		select {
		case f.pulled <- r: // to one that waits
		default:
			if started < cap(f.slots) {
				if !f.start(func() { work(r) }) {
					return
				}
				started++
				break
			}
			select {
			case f.pulled <- r:
			case <-f.abandoned:
				return
			case <-f.stopped:
				return
			}
		}
		if !f.acquire(ctx) {
			return
		}
	}
}

// acquire waits for a slot, and reports whether there is reason to use it.
func (f *fanOut) acquire(ctx context.Context) bool {
	select {
	case f.slots <- struct{}{}:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// start starts a worker, unless nobody waits for it any more.
func (f *fanOut) start(work func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.abandoned:
		return false
	case <-f.stopped:
		return false
	default:
	}
	f.workers.Go(func() { f.guard(work) })
	return true
}

// next waits for what a worker is to send next.
func (f *fanOut) next() (r Result, ok bool) {
	select {
	case r = <-f.pulled:
		return r, true
	case <-f.drained:
	case <-f.abandoned:
	}
	return r, false
}

func (f *fanOut) deliver(r Result) {
	select {
	case f.results <- r:
		<-f.slots
	case <-f.stopped:
	}
}

// sleep waits while there may be more to send.
func (f *fanOut) sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-f.drained:
	}
}

// finish closes the results after the last. It waits for the sequence until the context
// ends, and then leaves it to itself.
func (f *fanOut) finish(ctx context.Context) {
	defer close(f.results)
	select {
	case <-f.drained:
	case <-ctx.Done():
		grace := time.NewTimer(sourceGrace)
		defer grace.Stop()
		select {
		case <-f.drained:
		case <-grace.C:
			f.mu.Lock()
			close(f.abandoned)
			f.mu.Unlock()
		}
	}
	f.workers.Wait()
}

// guard makes a panic of do, or its Goexit, stop the others and be kept for rethrow.
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
		f.stop()
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
