package main

import (
	"context"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// count finds the result of every line. A line is lost if it may have been attempted and the
// store does not know it.
func (s *session) count(ctx context.Context) (lost map[int]bool, err error) {
	counting, cancel := outlasting(ctx, 10*time.Second)
	defer cancel()
	dead := map[int]whop.Outcome{}
	s.letters = nil
	for letter, err := range s.queue.Dead(counting) {
		if err != nil {
			return nil, &storeError{err}
		}
		line := lineOf(letter.Position)
		if _, again := dead[line]; again || line < 1 || line > s.state.Lines || s.ledger.of(line) == fateSent {
			continue
		}
		dead[line] = letter.Outcome
		if s.flags.output == jsonFormat {
			s.letters = append(s.letters, deadLine(letter))
		}
	}
	lost = s.tally(dead, ctx.Err() == nil)
	s.counted = true
	return lost, nil
}

// outlasting returns a context that ends that long after ctx.
func outlasting(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(by):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// tally adds up the fates of all lines. When the batch is done, a line is lost if the ledger
// only says that it was queued, and it is not a dead letter.
func (b *batch) tally(dead map[int]whop.Outcome, done bool) (lost map[int]bool) {
	b.sums = summary{Notifications: b.state.Notifications, Everybody: b.state.Everybody, Done: done}
	lost = map[int]bool{}
	for line := 1; line <= b.state.Lines; line++ {
		f := b.ledger.of(line)
		outcome, isDead := dead[line]
		switch {
		case f == fateSent:
			b.sums.Queued++
		case isDead:
			b.sums.count(outcome)
		case f == fateQueued && done:
			lost[line] = true
			b.sums.Lost++
			b.sums.Unknown++
		default:
			b.sums.drop(f)
		}
	}
	b.sums.ToGo = b.sums.Notifications - b.sums.Queued - b.sums.failed()
	return lost
}
