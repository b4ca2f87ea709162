package queue

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// tellTime bounds one call of the function of WatchDead: the server would give the letter to
// another watcher after ackWait.
const tellTime = ackWait - 2*time.Second

// WatchDead calls tell with every dead letter, those that are there first, one at a time, until
// ctx ends. It goes on behind what was told before: of the same name it may run in several
// processes, and be killed, and each letter is told by one of them, in rare cases twice. Letters
// that are retried or dropped before their turn are left out. The name is that of the
// consumer on the stream of the dead letters.
//
// The context of tell ends after 8 s. When tell returns an error, the letter comes again, after
// 1 s, doubled each time up to 5 min, and the others come meanwhile. It may change neither
// letter nor queue; a slow one holds up no worker.
//
// A NATS server that is away is waited for. It returns nil when ctx has ended, and an error if
// the connection is closed, or the name is of a consumer that leaves letters out.
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
		case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, errSetUp):
			return err
		case warned.now():
			q.logger.WarnContext(ctx, "queue: dead letters cannot be watched, trying again", "error", err)
		}
		if !sleep(ctx, time.Second) {
			return nil
		}
	}
}

// tellNext waits a while for the next dead letter, and tells of it.
func (q *Queue) tellNext(ctx context.Context, letters jetstream.Consumer, tell func(context.Context, DeadLetter) error) error {
	fetching, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	msg, err := letters.Next(jetstream.FetchContext(fetching), jetstream.FetchHeartbeat(fetchPulse))
	if err != nil && ctx.Err() == nil && (errors.Is(err, nats.ErrTimeout) || fetching.Err() != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	telling, done := context.WithTimeout(ctx, tellTime)
	defer done()
	err = tell(telling, deadLetterOf(&jetstream.RawStreamMsg{Sequence: meta.Sequence.Stream, Header: msg.Headers(), Data: msg.Data(), Time: meta.Timestamp}))
	switch {
	case err == nil:
		return q.ask(ctx, msg.DoubleAck) // if it is lost, the letter comes again
	case ctx.Err() != nil:
		return msg.Nak()
	}
	// A moment for others where many fail at once.
	sleep(ctx, 100*time.Millisecond)
	return msg.NakWithDelay(retryDelay(int(min(meta.NumDelivered, 100)), 0))
}
