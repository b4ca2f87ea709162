package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Stats counts the notifications of a queue. Each is in one of the five counts, unless it was
// dropped or canceled. While it moves, it may be missing from Sent for a moment.
type Stats struct {
	Waiting  int `json:"waiting"`   // no worker has taken them yet
	Retrying int `json:"retrying"`  // waiting for their next try, or for NotBefore
	InFlight int `json:"in_flight"` // held by workers
	Sent     int `json:"sent"`      // queued at Whop since the queue was created
	Dead     int `json:"dead"`      // dead letters now
	// Oldest is the age of the oldest notification that is waiting, or in flight for the first
	// time, or how long the oldest next try has been due, whichever is longer. 0 if there is
	// neither.
	Oldest time.Duration `json:"oldest"`
	// LastSuccess is when Whop last queued a notification, to within a few seconds; zero if
	// never.
	LastSuccess time.Time `json:"last_success,omitzero"`
}

// Stats returns the counts, taken as close together as possible.
func (q *Queue) Stats(ctx context.Context) (s Stats, err error) {
	fail := func(err error) (Stats, error) { return Stats{}, fmt.Errorf("queue: counting: %w", err) }
	var line, retry, dead, gone *jetstream.StreamInfo
	var workers, retries *jetstream.ConsumerInfo
	// Count in the order in which a notification moves, so that none is missed: one that
	// moves meanwhile is counted twice, and missing from Sent.
	for _, count := range []func() error{
		func() error { line, err = q.info(ctx, q.line); return err },
		func() error { workers, err = q.consumerInfo(ctx, q.fresh); return err },
		func() error { retry, err = q.info(ctx, q.retry); return err },
		func() error { retries, err = q.consumerInfo(ctx, q.due); return err },
		func() error { dead, err = q.info(ctx, q.dead); return err },
		func() error { gone, err = q.info(ctx, q.gone); return err },
	} {
		if err := count(); err != nil {
			return fail(err)
		}
	}
	s.InFlight = workers.NumAckPending + retries.NumAckPending
	s.Retrying = max(0, int(retry.State.Msgs)-retries.NumAckPending)
	s.Dead = int(dead.State.Msgs)
	// LastSeq also counts what is no longer in the stream. The server counts a new message
	// as pending only after a moment. No worker has taken such a message, so add what is
	// missing in that count to Waiting.
	unsent := s.InFlight + s.Retrying + s.Dead
	live := int(line.State.LastSeq) - int(gone.State.LastSeq) - unsent
	s.Sent = max(0, min(live-int(workers.NumPending), int(workers.Delivered.Stream)-unsent))
	s.Waiting = max(0, live-s.Sent)
	if err := q.dates(ctx, &s, workers); err != nil {
		return fail(err)
	}
	return s, nil
}

// dates fills in when things happened.
func (q *Queue) dates(ctx context.Context, s *Stats, workers *jetstream.ConsumerInfo) error {
	var since time.Time
	var msg *jetstream.RawStreamMsg
	var err error
	if workers.NumPending > 0 || workers.NumAckPending > 0 {
		if msg, err = q.get(ctx, q.line, workers.AckFloor.Stream+1, q.name+".send.>"); err == nil {
			since = msg.Time
		}
	}
	if s.Retrying+s.InFlight > 0 && (err == nil || errors.Is(err, jetstream.ErrMsgNotFound)) {
		if msg, err = q.get(ctx, q.retry, 1, q.name+".due.*"); err == nil && (since.IsZero() || msg.Time.Before(since)) {
			since = msg.Time
		}
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return err
	}
	if !since.IsZero() {
		s.Oldest = max(0, time.Since(since))
	}
	s.LastSuccess, err = q.lastSuccess(ctx)
	return err
}

// lastSuccess returns when Whop last queued a notification, zero if never.
func (q *Queue) lastSuccess(ctx context.Context) (time.Time, error) {
	entry, err := q.get(ctx, q.state, 0, q.stateSubject(successKey))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return parseTime(string(entry.Data)), nil
}
