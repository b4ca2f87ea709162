package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// tellTime bounds one call of WatchDead's function: after ackWait the server would redeliver
// the letter to another watcher.
const tellTime = ackWait - 2*time.Second

// WatchDead calls tell with every dead letter, one at a time, until ctx ends. It begins with the
// existing ones, and continues where an earlier call under the same name stopped. Several
// processes may use the same name, and be killed: one of them tells each letter, in rare cases
// twice. WatchDead leaves out letters that are retried or dropped before their turn. name is the
// name of the consumer on the stream of dead letters.
//
// The context of tell ends after 8 s. If tell returns an error, the letter comes again after
// 1 s, doubled each time up to 5 min; the others come meanwhile. tell must not change the letter
// or the queue. A slow tell holds up no worker.
//
// WatchDead waits for a NATS server that is away. It returns nil when ctx has ended. It returns
// an error if the connection is closed, if the queue is deleted, or if name cannot be the name of a
// consumer or belongs to one that leaves letters out.
func (q *Queue) WatchDead(ctx context.Context, name string, tell func(context.Context, DeadLetter) error) error {
	var warned sometimes
	for {
		letters, err := q.openConsumer(ctx, q.dead, name, "", "tells of what was given up, to one of those who want to know")
		for err == nil {
			err = q.tellNext(ctx, letters, tell)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, errSetUp), errors.Is(err, jetstream.ErrInvalidConsumerName), errors.Is(err, jetstream.ErrStreamNotFound):
			return fmt.Errorf("queue: watching the dead letters: %w", err)
		case warned.now():
			q.logger.WarnContext(ctx, "queue: dead letters cannot be watched, trying again", "error", err)
		}
		if !sleep(ctx, time.Second) {
			return nil
		}
	}
}

// tellNext waits a while for the next dead letter, and passes it to tell.
func (q *Queue) tellNext(ctx context.Context, letters jetstream.Consumer, tell func(context.Context, DeadLetter) error) error {
	msg, err := fetch(ctx, letters)
	if err != nil || msg == nil {
		return cmp.Or(err, ctx.Err())
	}
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	began := time.Now()
	telling, done := context.WithTimeout(ctx, tellTime)
	defer done()
	err = tell(telling, deadLetterOf(&jetstream.RawStreamMsg{Sequence: meta.Sequence.Stream, Header: msg.Headers(), Data: msg.Data(), Time: meta.Timestamp}))
	switch {
	case err == nil:
		return q.ask(ctx, msg.DoubleAck) // if it is lost, the letter comes again
	case ctx.Err() != nil:
		return msg.Nak()
	}
	// The server gives out those that failed before new ones: let them take at most half of
	// the time.
	sleep(ctx, 100*time.Millisecond)
	delay := retryDelay(int(min(meta.NumDelivered, 100)), 0)
	info, err := q.consumerInfo(ctx, letters)
	if err != nil {
		return err
	}
	return msg.NakWithDelay(max(delay, 2*time.Duration(info.NumAckPending)*time.Since(began)))
}
