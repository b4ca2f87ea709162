package wrapper

import (
	"context"
	"sync"
	"time"
)

// Whop documents 600 requests a minute for an operation and credential
// (docs.whop.com, developer/troubleshooting). The default limiter stays a little below,
// and keeps a slot a second longer, for requests that arrive late.
const (
	windowSlots  = 590
	windowLength = 61 * time.Second
)

// slidingWindow is the default limiter: at most windowSlots attempts in any
// windowLength, and no delay while there is a free slot. Those who wait are served in
// their order, and one that gives up takes no slot.
type slidingWindow struct {
	start time.Time
	head  chan struct{} // holds one: who is first in line

	mu      sync.Mutex
	freed   [windowSlots]time.Duration // a ring: from when on each slot is free, since start
	next    int                        // the slot that is free first
	waiting int
}

func newSlidingWindow() *slidingWindow {
	return &slidingWindow{start: time.Now(), head: make(chan struct{}, 1)}
}

// Wait takes a slot. It fails at once where the context's deadline comes before its turn.
func (w *slidingWindow) Wait(ctx context.Context) error {
	w.mu.Lock()
	if w.waiting == 0 && w.take() {
		w.mu.Unlock()
		return nil
	}
	left := w.turn(w.waiting)
	w.waiting++
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.waiting--
		w.mu.Unlock()
	}()
	if left >= timeLeft(ctx) {
		return noSlotFor(left)
	}

	select {
	case w.head <- struct{}{}:
		defer func() { <-w.head }()
	case <-ctx.Done():
		return contextError(ctx)
	}
	for {
		w.mu.Lock()
		taken, left := w.take(), w.turn(0)
		w.mu.Unlock()
		switch {
		case taken:
			return nil
		case left >= timeLeft(ctx):
			return noSlotFor(left)
		}
		if err := sleep(ctx, left); err != nil {
			return err
		}
	}
}

// take takes the slot that is free first, if it is free now.
func (w *slidingWindow) take() bool {
	now := time.Since(w.start)
	if now < w.freed[w.next] {
		return false
	}
	w.freed[w.next] = now + windowLength
	w.next = (w.next + 1) % windowSlots
	return true
}

// turn returns how long it takes until the turn of one who has so many before him.
func (w *slidingWindow) turn(before int) time.Duration {
	free := w.freed[(w.next+before)%windowSlots] + time.Duration(before/windowSlots)*windowLength
	return free - time.Since(w.start)
}

func noSlotFor(left time.Duration) error {
	return &waitError{wait: left, text: "the next free slot is in", reason: errTooLong}
}
