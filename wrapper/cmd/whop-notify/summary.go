package main

import (
	"fmt"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// summary is what became of a batch.
type summary struct {
	Notifications int  `json:"notifications"`
	Queued        int  `json:"queued"`
	Rejected      int  `json:"rejected"`
	NotSent       int  `json:"not_sent"`
	Unknown       int  `json:"unknown"`
	ToGo          int  `json:"to_go"`
	Done          bool `json:"done"`
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

func (s *summary) dead() int { return s.Rejected + s.NotSent + s.Unknown }

func (s *summary) text(paint style) []byte {
	head := paint.good("all queued")
	switch {
	case !s.Done:
		head = paint.odd("interrupted")
	case s.dead() > 0:
		head = paint.bad("not all queued")
	}
	out := fmt.Appendf(nil, "%s: Whop has taken %d of %s for delivery\n", head, s.Queued, counted(s.Notifications))
	for _, f := range []struct {
		name  string
		count int
	}{{"rejected", s.Rejected}, {"not sent", s.NotSent}, {"unknown", s.Unknown}, {"to go", s.ToGo}} {
		if f.count > 0 {
			out = fmt.Appendf(out, "  %-16s %d\n", f.name, f.count)
		}
	}
	return out
}
