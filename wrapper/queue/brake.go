package queue

import (
	"sync"
	"time"
)

const (
	minBrake, maxBrake = 500 * time.Millisecond, 5 * time.Second
	// maxAsked bounds a wait that the server asks for. After it the server is asked again.
	maxAsked = 5 * time.Minute
)

// brake slows a worker down while Whop fails, so that an outage does not fail the whole queue,
// and when Whop asks for it. It counts only first attempts: a notification that fails
// repeatedly says nothing about Whop.
type brake struct {
	threshold int // it brakes after this many failures in a row

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

// failed is called when a first attempt failed. At threshold failures in a row the worker
// waits, twice as long each time, then tries as many again.
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

// left returns how long an attempt still has to wait.
func (b *brake) left(retry bool) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := time.Until(b.allUntil)
	if !retry {
		left = max(left, time.Until(b.until))
	}
	return left
}

// share bounds a worker's retries: in every minute a quarter of its attempts, or of Whop's
// limit if that is more.
type share struct {
	mu     sync.Mutex
	began  time.Time // second 0: the wall clock may be set back
	second int64     // counts are cleared up to this second
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

// roll clears the counts that are a minute old, and returns the index of this second.
func (s *share) roll() int {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	now := int64(time.Since(s.began) / time.Second)
	for s.second = max(s.second, now-60); s.second < now; {
		s.second++
		s.all[s.second%60], s.failed[s.second%60] = 0, 0
	}
	return int(now % 60)
}
