package whoptest

import (
	"cmp"
	"context"
	"iter"
	"slices"
)

// Change is something new about a server's requests.
type Change struct {
	Revision  int     // counts the changes of a server, from 1
	Request   Request // in its current state: arrived, or ended if Ended is set
	Forgotten bool    // [Server.Forget] dropped all requests; Request is zero
}

// Revision returns the revision of the last change, 0 if there was none.
func (s *Server) Revision() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.history.revision
}

// Changes yields the changes after a revision, in order, and waits for more until ctx ends
// or the server is closed. Pass 0 to begin with every request that is kept, or
// [Server.Revision] to begin with the next change.
//
// It buffers nothing. A slow reader misses steps, not results: a request that changed twice
// is yielded once, in its current state. A request that [Server.SetHistoryLimit] dropped is
// left out.
func (s *Server) Changes(ctx context.Context, after int) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		seen := after
		for {
			changes, more := s.changesAfter(seen)
			for _, c := range changes {
				if seen = c.Revision; !yield(c) {
					return
				}
			}
			switch {
			case ctx.Err() != nil:
				return
			case len(changes) > 0:
				continue
			}
			select {
			case <-more:
			case <-ctx.Done():
				return
			case <-s.stopped.Done():
				return
			}
		}
	}
}

// changesPerRound bounds the copies that a slow reader of Changes holds.
const changesPerRound = 100

// changesAfter returns the next changes, and a channel that the change after them closes.
func (s *Server) changesAfter(revision int) ([]Change, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &s.history
	var newer []*Request
	for _, r := range h.requests {
		if r.revision > revision {
			newer = append(newer, r)
		}
	}
	slices.SortFunc(newer, func(a, b *Request) int { return cmp.Compare(a.revision, b.revision) })
	var changes []Change
	if h.forgottenAt > revision {
		changes = append(changes, Change{Revision: h.forgottenAt, Forgotten: true})
	}
	for _, r := range newer[:min(len(newer), changesPerRound)] {
		change := Change{Revision: r.revision, Request: *r}
		change.Request.revision = 0
		changes = append(changes, change)
	}
	if h.changed == nil {
		h.changed = make(chan struct{})
	}
	return changes, h.changed
}

// change notes that a request arrived or ended.
func (h *history) change(r *Request) {
	h.revision++
	r.revision = h.revision
	h.wake()
}

// wake wakes every waiting reader of Changes.
func (h *history) wake() {
	if h.changed != nil {
		close(h.changed)
		h.changed = nil
	}
}
