package main

import (
	"context"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// openedBatch is the queue of a batch, and the record beside it, for another command than
// batch.
type openedBatch struct {
	queue      *queue.Queue
	ledger     *ledger
	dir        *stateDir
	closeQueue func()
}

// openBatch opens the directory of a batch. An error that is errInUse says that a process is
// at work on it.
func openBatch(ctx context.Context, name string) (b *openedBatch, err error) {
	state, err := readState(name)
	if err != nil {
		return nil, usageError(err, "")
	}
	b = &openedBatch{closeQueue: func() {}}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.dir, err = openStateDir(name); err != nil {
		return b, err
	}
	if b.ledger, err = openLedger(b.dir.root, state.Lines); err != nil {
		return b, err
	}
	q, closeQueue, err := openState(ctx, name)
	if err == nil {
		b.queue, b.closeQueue = q, closeQueue
	}
	return b, err
}

func (b *openedBatch) close() {
	b.closeQueue()
	if b.ledger != nil {
		_ = b.ledger.close()
	}
	if b.dir != nil {
		b.dir.close()
	}
}
