package queue

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Stats counts the notifications of a queue.
type Stats struct {
	Waiting  int // no worker has had them yet
	InFlight int // being sent, or waiting for their next try
	Sent     int // queued at Whop, since the queue was made
	Dead     int // dead letters now
}

// Stats counts, at one moment as nearly as can be.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	dead, err := q.dead.Info(ctx, jetstream.WithSubjectFilter(q.deadSubject()))
	if err != nil {
		return Stats{}, fmt.Errorf("queue: counting the dead letters: %w", err)
	}
	workers, err := q.workers.Info(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("queue: counting what waits: %w", err)
	}
	s := Stats{Waiting: int(workers.NumPending), InFlight: workers.NumAckPending, Dead: int(dead.State.Subjects[q.deadSubject()])}
	// What was given to workers and is settled was sent, has died, or goes on under another
	// key: each of the latter took a number in the stream of the dead, and keeps it when it
	// is removed.
	s.Sent = max(0, int(workers.Delivered.Stream)-s.InFlight-int(dead.State.LastSeq))
	return s, nil
}
