package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
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
	if took < stallTime || left == 0 || !s.said.once(stallInterval) {
		return ""
	}
	why := "waiting for Whop's answer, or for a turn under the rate limit"
	if s.last != nil {
		last := s.last
		if failure, ok := errors.AsType[*whop.SendError](last); ok {
			last = causeOf(failure)
		}
		why = "what failed is tried again: " + shorten(oneLine(last.Error()), 300)
	}
	return fmt.Sprintf("Whop has taken none for %v; %s to go; %s", took.Round(time.Second), counted(left), why)
}
