package main

import (
	"context"
	"time"
)

// count finds out what became of every line. Those are lost that may have been attempted,
// and of which the store knows nothing.
func (s *session) count(ctx context.Context) (lost map[int]bool, err error) {
	done := ctx.Err() == nil
	counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	s.sums = summary{Notifications: s.state.Notifications, Everybody: s.state.Everybody, Done: done}
	s.letters = nil
	dead := map[int]bool{}
	for letter, err := range s.queue.Dead(counting) {
		if err != nil {
			return nil, &storeError{err}
		}
		line := lineOf(letter.Position)
		if f := s.ledger.of(line); dead[line] || f == fateSent {
			continue
		}
		dead[line] = true
		s.sums.count(letter.Outcome)
		if s.flags.output == jsonFormat {
			s.letters = append(s.letters, deadLine(letter))
		}
	}
	lost = map[int]bool{}
	for line := 1; line <= s.state.Lines; line++ {
		switch f := s.ledger.of(line); {
		case f == fateSent:
			s.sums.Queued++
		case dead[line]:
		case f == fateQueued && done:
			lost[line] = true
			s.sums.Lost++
			s.sums.Unknown++
		default:
			s.sums.drop(f)
		}
	}
	s.sums.ToGo = s.sums.Notifications - s.sums.Queued - s.sums.failed()
	return lost, nil
}
