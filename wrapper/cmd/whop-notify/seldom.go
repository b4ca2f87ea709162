package main

import (
	"sync"
	"time"
)

// seldom is for what would be logged too often. Its zero value is ready.
type seldom struct {
	mu   sync.Mutex
	last time.Time
}

// once reports whether it has not reported so for a while.
func (s *seldom) once(in time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < in {
		return false
	}
	s.last = time.Now()
	return true
}
