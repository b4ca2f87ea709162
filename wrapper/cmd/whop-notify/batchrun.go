package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// runAgain is the advice where a batch ends before it is done.
const runAgain = "Nothing is lost: run the same command again."

// batch is one run of a batch.
type batch struct {
	state       *batchState
	input       string // the file to queue
	queue       *queue.Queue
	client      *whop.Client
	concurrency int
	stderr      io.Writer
	stats       queue.Stats // at the end
	interrupted bool
}

// run queues what is not queued yet and sends at the same time, until all is done.
func (b *batch) run(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var (
		parts     sync.WaitGroup
		queueErr  error
		workErr   error
		allQueued = make(chan struct{})
	)
	parts.Go(func() {
		if queueErr = b.enqueueRest(working); queueErr != nil {
			stop()
			return
		}
		close(allQueued)
	})
	parts.Go(func() {
		workErr = b.queue.Work(working, b.client, b.concurrency)
		stop()
	})
	watchErr := b.watch(working, allQueued)
	stop()
	parts.Wait()
	b.interrupted = ctx.Err() != nil
	switch {
	case errors.Is(queueErr, errChanged):
		return &exitError{code: exitNot, err: queueErr, hint: "What it held before is being sent. Restore it, and run the same command again."}
	case queueErr != nil && !b.interrupted && workErr == nil:
		return &exitError{code: exitNot, err: queueErr, hint: runAgain}
	case errors.Is(workErr, whop.ErrUnauthorized), errors.Is(workErr, whop.ErrRedirect):
		return &exitError{code: exitNot, err: workErr, hint: "Nothing is lost: correct the key or the base URL, and run the same command again."}
	case workErr != nil && !b.interrupted:
		return &exitError{code: exitNot, err: workErr, hint: runAgain}
	case watchErr != nil && !b.interrupted:
		return &exitError{code: exitNot, err: watchErr, hint: runAgain}
	}
	counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var err error
	if b.stats, err = b.queue.Stats(counting); err != nil {
		return &exitError{code: exitNot, err: err, hint: runAgain}
	}
	return nil
}

// enqueueRest queues the lines behind the last one that is queued.
func (b *batch) enqueueRest(ctx context.Context) error {
	if b.state.Queued {
		return nil
	}
	position, err := b.queue.Position(ctx)
	if err != nil {
		return err
	}
	in, err := os.Open(b.input)
	if err != nil {
		return err
	}
	defer in.Close()
	err = pass(in, b.state.manifest, b.state.Run, func(number int, n whop.Notification) error {
		if uint64(number) <= position {
			return nil
		}
		_, err := b.queue.EnqueueAt(ctx, n, uint64(number))
		return err
	})
	if err == nil {
		err = b.queue.Sync(ctx)
	}
	if err != nil {
		return err
	}
	return b.state.finishQueueing()
}

// watch shows the progress until nothing is left, or ctx ends.
func (b *batch) watch(ctx context.Context, allQueued <-chan struct{}) error {
	show := newProgress(b.stderr, b.state.Notifications)
	defer show.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(progressInterval):
		}
		stats, err := b.queue.Stats(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		show.update(stats)
		select {
		case <-allQueued:
		default:
			continue
		}
		if stats.Waiting == 0 && stats.InFlight == 0 {
			return nil
		}
	}
}
