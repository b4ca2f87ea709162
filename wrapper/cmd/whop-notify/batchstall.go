package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// stall knows since when nothing goes out, and why.
type stall struct {
	said seldom

	mu    sync.Mutex
	since time.Time // the last one that went out, or was given up; or the begin
	last  error     // what the last one met that will be tried again; nil if none has since then
}

// note takes in what became of an attempt.
func (s *stall) note(e queue.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Receipt != nil || e.Dead:
		s.since, s.last = time.Now(), nil
	case e.Err != nil:
		s.last = e.Err
	}
}

const (
	stallTime     = 10 * time.Second // that is nothing to speak of
	stallInterval = time.Minute      // from one word about it to the next
)

// text says what keeps those that are left, or nothing.
func (s *stall) text(left int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := time.Since(s.since)
	if s.last == nil || took < stallTime || !s.said.once(stallInterval) {
		return ""
	}
	return fmt.Sprintf("nothing has gone out for %v; %s to go, and what failed is tried again: %s", took.Round(time.Second), counted(left), shorten(oneLine(s.last.Error()), 300))
}
