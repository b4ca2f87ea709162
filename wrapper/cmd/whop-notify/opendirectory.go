package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// openedDirectory is the queue of a batch or a relay, opened by another command, with the ledger
// of a batch.
type openedDirectory struct {
	queue      *queue.Queue
	ledger     *ledger // nil of a relay
	dir        *stateDir
	closeQueue func()
}

// openDirectory opens the directory of a batch or a relay. It returns errInUse if another
// process uses it.
func openDirectory(ctx context.Context, name string, patience time.Duration) (d *openedDirectory, err error) {
	relay, lines := isRelayState(name), 0
	if !relay {
		state, err := readState(name)
		if err != nil {
			return nil, usageError(err, "")
		}
		lines = state.Lines
	}
	d = &openedDirectory{closeQueue: func() {}}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.dir, err = lockStateDir(ctx, name, patience); err != nil {
		if relay && errors.Is(err, errInUse) {
			err = fmt.Errorf("a relay has its queue in %s to itself (%w): stop it first, or let it use a NATS server (--nats), where others can work on its queue meanwhile", name, errInUse)
		}
		return d, err
	}
	if !relay {
		if d.ledger, err = openLedger(d.dir.root, lines); err != nil {
			return d, err
		}
	}
	q, closeQueue, err := openState(ctx, name)
	if err == nil {
		d.queue, d.closeQueue = q, closeQueue
	}
	return d, err
}

func (d *openedDirectory) close() {
	d.closeQueue()
	if d.ledger != nil {
		_ = d.ledger.close()
	}
	if d.dir != nil {
		d.dir.close()
	}
}
