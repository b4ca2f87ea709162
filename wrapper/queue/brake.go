package queue

import (
	"context"
	"sync"
	"time"
)

const (
	minBrake, maxBrake = 500 * time.Millisecond, 30 * time.Second
	// maxAsked bounds a wait that the server asks for: then it is asked again.
	maxAsked = time.Hour
)

// brake slows a worker down where everything fails, so that an outage does not go through
// the whole queue, and where the server asks for it.
type brake struct {
	threshold int // failures in a row from which on it brakes

	mu       sync.Mutex
	failures int
	step     time.Duration // how long it brakes
	until    time.Time
	refusals int       // of the client itself, in a row
	since    time.Time // the first of them
}

// worked: the server answers.
func (b *brake) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.step, b.refusals = 0, 0, 0
}

// failed: something will have to be tried again. asked is a wait for everybody.
func (b *brake) failed(asked time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusals = 0
	b.brake(asked)
}

// refused: Whop does not accept the client itself. It reports whether it said so often and
// for long enough, and nothing else, that it is no accident.
func (b *brake) refused() bool {
	const often, long = 3, 5 * time.Second
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusals++; b.refusals == 1 {
		b.since = time.Now()
	}
	b.brake(0)
	return b.refusals >= often && time.Since(b.since) >= long
}

// brake makes the worker wait, twice as long each time, as long as nothing works.
func (b *brake) brake(asked time.Duration) {
	b.failures++
	now := time.Now()
	wait := min(asked, maxAsked)
	if b.failures >= b.threshold {
		if now.After(b.until) {
			b.step = min(max(2*b.step, minBrake), maxBrake)
		}
		wait = max(wait, b.step)
	}
	if until := now.Add(wait); until.After(b.until) {
		b.until = until
	}
}

// wait waits until the brake is off, and reports whether ctx has not ended.
func (b *brake) wait(ctx context.Context) bool {
	for {
		b.mu.Lock()
		left := time.Until(b.until)
		b.mu.Unlock()
		if left <= 0 {
			return ctx.Err() == nil
		}
		if !sleep(ctx, left) {
			return false
		}
	}
}
