package queue

import (
	"context"
	"sync"
	"time"
)

const minBrake, maxBrake = 500 * time.Millisecond, 30 * time.Second

// brake slows a worker down where everything fails, so that an outage does not go through
// the whole queue, and where the server asks for it.
type brake struct {
	threshold int // failures in a row from which on it brakes

	mu       sync.Mutex
	failures int
	step     time.Duration // how long it brakes
	until    time.Time
	refused  time.Time // since when the client itself is refused, without interruption
	refusals int
}

// worked: the server answers.
func (b *brake) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.step, b.refusals = 0, 0, 0
}

// failed: something will have to be tried again. asked is a wait for everybody. The waits
// double as long as nothing works.
func (b *brake) failed(asked time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	now := time.Now()
	wait := asked
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

// refusedClient reports whether the client itself was refused so often and for so long that
// it is no accident.
func (b *brake) refusedClient() bool {
	const often, long = 3, 5 * time.Second
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusals++; b.refusals == 1 {
		b.refused = time.Now()
	}
	return b.refusals >= often && time.Since(b.refused) >= long
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
