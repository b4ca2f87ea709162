package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// EnqueueAt is Enqueue for a single producer that reads a file or log in order. It stores the
// position, from 1, with the notification. After a crash [Queue.Position] returns exactly the
// last stored position: continue after it. EnqueueAt does not enqueue a position up to there
// again; it sets Ticket.Duplicate. It does not look up what it enqueued there before: the
// ticket then has the key that n itself has, or none, and its State says nothing.
//
// Use it instead of [Queue.Enqueue] if a producer may resume after more than a day: the queue
// remembers keys for 24 hours, but positions forever. Duplicates are found by position, not by
// key, and cost the server no memory.
//
// If two producers enqueue with positions at the same time, one of them gets an error.
func (q *Queue) EnqueueAt(ctx context.Context, n whop.Notification, position uint64) (Ticket, error) {
	it, err := q.newItem(n)
	ticket := Ticket{IdempotencyKey: it.key}
	if err != nil {
		return ticket, err
	}
	if position == 0 {
		return ticket, errors.New("queue: EnqueueAt: positions begin with 1")
	}
	it.position = position

	ctx, cancel := enqueueContext(ctx)
	defer cancel()
	last := &q.last
	if err := acquire(ctx, last.turn); err != nil {
		return ticket, fmt.Errorf("queue: %w: %w", ErrNotEnqueued, err)
	}
	defer func() { <-last.turn }()
	for unanswered := false; ; {
		if !last.known {
			if err := last.load(ctx, q); err != nil {
				return ticket, err
			}
		}
		if position == last.position && last.ticket == it.ticket {
			return ticket, nil // the answer to this call was lost
		}
		if position <= last.position {
			return Ticket{IdempotencyKey: n.IdempotencyKey(), Duplicate: true}, nil
		}
		// One request at a time: the last position shows whether a lost answer was a yes.
		var ack *jetstream.PubAck
		err := q.ask(ctx, func(ctx context.Context) error {
			ack, err = q.js.PublishMsg(ctx, it.message(q.numberedSubject(), ""), jetstream.WithExpectLastSequencePerSubject(last.seq))
			return err
		})
		if err == nil {
			last.seq, last.position, last.ticket = ack.Sequence, position, it.ticket
			return ticket, nil
		}
		last.known = false
		switch {
		case isRefusal(err) && !unanswered: // a conflict too
			return ticket, fmt.Errorf("queue: %w: %w", ErrNotEnqueued, err)
		case isRefusal(err) && !isConflict(err), errors.Is(err, nats.ErrConnectionClosed), !sleep(ctx, 250*time.Millisecond):
			return ticket, fmt.Errorf("queue: %w: %w", errUncertain, err)
		}
		unanswered = true // if the server was only slow, the next try conflicts with this one
	}
}

// Position returns the position of the last notification of [Queue.EnqueueAt], 0 if there was none.
func (q *Queue) Position(ctx context.Context) (uint64, error) {
	last := &q.last
	if err := acquire(ctx, last.turn); err != nil {
		return 0, fmt.Errorf("queue: reading the last position: %w", err)
	}
	defer func() { <-last.turn }()
	err := last.load(ctx, q)
	return last.position, err
}

// lastPosition returns the last message that EnqueueAt stored.
type lastPosition struct {
	turn     chan struct{} // held by who reads or enqueues; guards the rest
	known    bool
	seq      uint64
	position uint64
	ticket   string // of the call that stored it
}

func (l *lastPosition) load(ctx context.Context, q *Queue) error {
	l.known = false
	msg, err := q.get(ctx, q.line, 0, q.numberedSubject())
	if err == nil {
		l.seq = msg.Sequence
	} else {
		l.seq = 0
	}
	// Other publishers can put messages without a position there: skip them.
	for err == nil && msg.Sequence > 1 && (msg.Subject != q.numberedSubject() || parseNumber(msg.Header.Get(positionHeader)) == 0) {
		if msg.Subject == q.numberedSubject() {
			q.logger.WarnContext(ctx, "queue: a message without a position, which is not from EnqueueAt", "stream", q.name, "sequence", msg.Sequence)
		}
		seq := msg.Sequence - 1
		if msg, err = q.get(ctx, q.line, seq, ""); errors.Is(err, jetstream.ErrMsgNotFound) {
			msg, err = &jetstream.RawStreamMsg{Sequence: seq}, nil
		}
	}
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		l.known, l.position, l.ticket = true, 0, ""
		return nil
	case err != nil:
		return fmt.Errorf("queue: reading the last position: %w", err)
	}
	l.known, l.position, l.ticket = true, parseNumber(msg.Header.Get(positionHeader)), msg.Header.Get(ticketHeader)
	return nil
}
