package main

import (
	"fmt"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// summary counts the lines of a batch by result.
type summary struct {
	Notifications int       `json:"notifications"`
	Everybody     int       `json:"everybody"` // of these, to all who are in their target
	Queued        int       `json:"queued"`
	Rejected      int       `json:"rejected"`
	NotSent       int       `json:"not_sent"`
	Unknown       int       `json:"unknown"`
	Dropped       int       `json:"dropped,omitempty"` // of those not queued, by dead drop
	Lost          int       `json:"lost,omitempty"`    // of the unknown, by a store that was damaged
	ToGo          int       `json:"to_go"`
	Done          bool      `json:"done"`
	Finished      time.Time `json:"finished,omitzero"`
}

func (s *summary) count(o whop.Outcome) {
	switch o {
	case whop.Rejected:
		s.Rejected++
	case whop.NotSent:
		s.NotSent++
	default:
		s.Unknown++
	}
}

// drop counts a line whose dead letter was dropped.
func (s *summary) drop(f fate) {
	switch f {
	case fateDroppedRejected:
		s.Rejected++
	case fateDroppedNotSent:
		s.NotSent++
	case fateDroppedUnknown:
		s.Unknown++
	default:
		return
	}
	s.Dropped++
}

func (s *summary) failed() int { return s.Rejected + s.NotSent + s.Unknown }

// exitCode returns the exit code for all lines.
func (s *summary) exitCode() int {
	switch {
	case s.Unknown > 0:
		return exitUnknown
	case s.Queued != s.Notifications:
		return exitNot
	}
	return exitQueued
}

func (s *summary) text(paint style) []byte {
	head := paint.good("all queued")
	switch {
	case !s.Done:
		head = paint.odd("interrupted")
	case s.Queued != s.Notifications:
		head = paint.bad("not all queued")
	}
	out := fmt.Appendf(nil, "%s: Whop has taken %d of %s for delivery\n", head, s.Queued, counted(s.Notifications))
	for _, f := range []struct {
		name  string
		count int
	}{
		{"rejected", s.Rejected},
		{"not sent", s.NotSent},
		{"unknown", s.Unknown},
		{"of these dropped", s.Dropped},
		{"of these lost by the store", s.Lost},
		{"to go", s.ToGo},
	} {
		if f.count > 0 {
			out = fmt.Appendf(out, "  %-16s %d\n", f.name, f.count)
		}
	}
	return out
}
