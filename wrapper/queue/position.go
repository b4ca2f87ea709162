package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// EnqueueAt is Enqueue for a sole producer that goes through a file or log in order, and
// keeps the position, from 1, with the notification. After a crash [Queue.Position] says
// how far it came, exactly: behind that it goes on. A position up to there is not enqueued
// again, and Ticket.Duplicate says so.
//
// The position takes the place of the key as what is enqueued once: the key is not compared
// with those of other notifications, and takes no memory of the server. On an embedded
// server a power failure can take back the last positions, though none that was attempted;
// [Queue.Sync] makes them lasting, say before the file is thrown away.
//
// If somebody else enqueues with positions at the same time, one of the two gets an error.
func (q *Queue) EnqueueAt(ctx context.Context, n whop.Notification, position uint64) (Ticket, error) {
	it, err := newItem(n)
	ticket := Ticket{IdempotencyKey: it.key}
	if err != nil {
		return ticket, err
	}
	if position == 0 {
		return ticket, errors.New("queue: EnqueueAt: positions begin with 1")
	}
	if err := q.checkSize(&it); err != nil {
		return ticket, err
	}
	it.position = position

	last := &q.lastNumbered
	last.mu.Lock()
	defer last.mu.Unlock()
	if !last.known {
		if err := last.load(ctx, q); err != nil {
			return ticket, err
		}
	}
	if position <= last.position {
		ticket.Duplicate = true
		return ticket, nil
	}
	ack, err := q.js.PublishMsg(ctx, it.message(q.numberedSubject(), ""), jetstream.WithExpectLastSequencePerSubject(last.seq))
	if err != nil {
		last.known = false
		return ticket, notCertain(err)
	}
	last.seq, last.position = ack.Sequence, position
	return ticket, nil
}

// Position is that of the last notification of [Queue.EnqueueAt], 0 if there was none.
func (q *Queue) Position(ctx context.Context) (uint64, error) {
	last := &q.lastNumbered
	last.mu.Lock()
	defer last.mu.Unlock()
	err := last.load(ctx, q)
	return last.position, err
}

// numbered is the last message that EnqueueAt stored.
type numbered struct {
	mu       sync.Mutex
	known    bool
	seq      uint64
	position uint64
}

func (l *numbered) load(ctx context.Context, q *Queue) error {
	msg, err := q.stream.GetLastMsgForSubject(ctx, q.numberedSubject())
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		l.known, l.seq, l.position = true, 0, 0
	case err != nil:
		return fmt.Errorf("queue: reading the last position: %w", err)
	default:
		l.known, l.seq, l.position = true, msg.Sequence, positionOf(msg.Header)
	}
	return nil
}
