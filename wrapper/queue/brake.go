package queue

import (
	"sync"
	"time"
)

const (
	minBrake, maxBrake = 500 * time.Millisecond, 5 * time.Second
	// maxAsked bounds a wait that the server asks for: then it is asked again.
	maxAsked = 5 * time.Minute
)

// brake slows a worker down where Whop fails, so that an outage does not go through the
// whole queue, and where Whop asks for it. It goes by first attempts alone: what fails again
// and again says nothing about Whop.
type brake struct {
	threshold int // failures in a row from which on it brakes

	mu       sync.Mutex
	failures int
	step     time.Duration // how long it brakes
	until    time.Time     // for first attempts
	allUntil time.Time     // for all
}

// worked is called when Whop has decided on a notification.
func (b *brake) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.step, b.until = 0, 0, time.Time{}
}

// failed is called when a first attempt failed: from some in a row on, each lets the worker
// wait, twice as long each time, then try as many again.
func (b *brake) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	if now := time.Now(); b.failures >= b.threshold && now.After(b.until) {
		b.step = min(max(2*b.step, minBrake), maxBrake)
		b.until = now.Add(b.step)
	}
}

// asked is called when Whop, or the client's limiter, asks everybody to wait.
func (b *brake) asked(wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until := time.Now().Add(min(wait, maxAsked)); until.After(b.allUntil) {
		b.allUntil = until
	}
}

// left is how long an attempt still has to wait.
func (b *brake) left(retry bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := time.Until(b.allUntil)
	if !retry {
		left = max(left, time.Until(b.until))
	}
	return left
}

// share bounds how much of a worker's attempts goes to what fails again and again: in every
// minute a quarter of them, or of what Whop allows if that is more.
type share struct {
	mu     sync.Mutex
	second int64 // up to which the counts are cleared, modulo 60
	all    [60]int
	failed [60]int
}

func (s *share) count(failedAgain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.roll()
	s.all[i]++
	if failedAgain {
		s.failed[i]++
	}
}

func (s *share) spent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roll()
	all, failed := 0, 0
	for i := range s.all {
		all, failed = all+s.all[i], failed+s.failed[i]
	}
	return failed >= max(whopPerMinute, all)/retryShare
}

// roll clears the seconds that are a minute old, and returns the index of this one.
func (s *share) roll() int {
	now := time.Now().Unix()
	for s.second = max(s.second, now-60); s.second < now; {
		s.second++
		s.all[s.second%60], s.failed[s.second%60] = 0, 0
	}
	return int(now % 60)
}
