package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// Positions in the queue are lines of the input. Lines that the store has lost are enqueued
// again in a later round, since positions must rise.
const roundBits = 32

func position(round, line int) uint64 { return uint64(round)<<roundBits | uint64(line) }
func roundOf(position uint64) int     { return int(position >> roundBits) }
func lineOf(position uint64) int      { return int(position & (1<<roundBits - 1)) }

// session opens the store, and works on the batch until an error or the end.
type session struct {
	*batch
	show   *progress
	queue  *queue.Queue
	client *whop.Client
	stop   context.CancelCauseFunc
	stall  stall

	closeQueue func()
}

// maxRounds bounds how often lost lines are enqueued again.
const maxRounds = 3

func (b *batch) session(ctx context.Context, show *progress) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s := &session{batch: b, show: show, stop: stop, stall: stall{since: time.Now()}}
	q, closeQueue, err := openState(ctx, b.dir.name, queue.WithLogger(b.logger), queue.WithDrainTimeout(b.flags.work.drain),
		queue.WithObserver(func(_ context.Context, e queue.Event) {
			s.stall.note(e)
			if e.Receipt != nil {
				s.mark(lineOf(e.Position), fateSent)
			}
		}))
	if err != nil {
		return &storeError{err}
	}
	s.queue, s.closeQueue = q, sync.OnceFunc(closeQueue)
	defer s.closeQueue()
	if s.client, err = b.flags.work.newClient(b.cmd.Flags(), q, b.logger); err != nil {
		return usageError(err, "")
	}
	return s.run(ctx)
}

// mark records a fate. If that fails, the session ends.
func (s *session) mark(line int, f fate) {
	if err := s.ledger.mark(line, f); err != nil {
		s.stop(err)
	}
}

// run goes through the input, then through the lines that the store has lost.
func (s *session) run(ctx context.Context) error {
	last, err := s.queue.Position(ctx)
	if err != nil {
		return &storeError{err}
	}
	round, missing := roundOf(last), s.unqueued(last)
	idle := !s.state.Finished.IsZero() && missing == nil
	for range maxRounds {
		worked, err := s.workOff(ctx, round, missing)
		if err != nil {
			return err
		}
		idle = idle && !worked
		lost, err := s.count(ctx)
		if err != nil {
			return err
		}
		if ctx.Err() != nil || len(lost) == 0 {
			break
		}
		s.sayLost(s.show, len(lost))
		if !s.again() {
			break
		}
		round, missing = round+1, func(line int) bool { return lost[line] }
	}
	s.alreadyDone = idle
	return nil
}

// workOff works until nothing is missing and nothing is left.
func (s *session) workOff(ctx context.Context, round int, missing func(int) bool) (worked bool, err error) {
	for {
		status, err := s.status(ctx)
		if err != nil {
			if ctx.Err() != nil {
				err = nil // an interrupted run still reports what is left
			}
			return worked, err
		}
		if missing == nil && status.left() == 0 {
			return worked, nil
		}
		if err := s.work(ctx, round, missing); err != nil || ctx.Err() != nil {
			return true, err
		}
		worked, missing = true, nil
	}
}

// unqueued returns the lines after the last one in the queue, or nil if there are none. Those
// that were in the queue before are lost.
func (s *session) unqueued(last uint64) func(line int) bool {
	if roundOf(last) > 0 {
		return nil
	}
	fresh, lost := 0, 0
	for line := lineOf(last) + 1; line <= s.state.Lines; line++ {
		switch s.ledger.of(line) {
		case fateNone:
			fresh++
		case fateQueued:
			lost++
		}
	}
	if lost > 1 { // a killed process was busy with one line
		s.sayLost(s.show, lost)
	}
	again := s.again()
	if lost == 0 && (fresh == 0 || !s.state.Finished.IsZero()) {
		return nil // only blank lines are left: the batch was done
	}
	return func(line int) bool {
		if line <= lineOf(last) {
			return false
		}
		f := s.ledger.of(line)
		return f == fateNone || f == fateQueued && again
	}
}

// work enqueues the missing lines and sends at the same time, until nothing is left.
func (s *session) work(ctx context.Context, round int, missing func(int) bool) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var parts sync.WaitGroup
	enqueued := make(chan struct{})
	part := func(do func() error) {
		parts.Go(func() {
			defer exitOnPanic(os.Stderr)
			if err := do(); err != nil {
				stop(err)
			}
		})
	}
	part(func() error {
		if err := s.enqueue(working, round, missing); err != nil {
			return err
		}
		close(enqueued)
		return nil
	})
	part(func() error {
		err := s.queue.Work(working, s.client, s.flags.work.concurrency)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if isRefusal(err) {
			return err
		}
		return &storeError{err}
	})
	err := s.watch(working, enqueued)
	stop(err)
	if isFull(err) { // the store takes no acknowledgements now: nothing is worth waiting for
		s.sayFull(s.show)
		s.closeQueue()
	}
	parts.Wait()
	if cause := context.Cause(working); ctx.Err() == nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if s.ledger.err != nil {
		return s.ledger.err
	}
	return nil
}

var errCopyGone = errors.New("the copy of the input is gone from the state directory")

// enqueue puts the missing lines into the queue. Before each it records that the line may be in
// the queue.
func (s *session) enqueue(ctx context.Context, round int, missing func(int) bool) error {
	if missing == nil {
		return nil
	}
	in, err := s.dir.root.Open(inputFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = errCopyGone
	}
	if err != nil {
		return err
	}
	defer in.Close()
	return pass(in, s.state.manifest, s.state.Run, func(line int, n whop.Notification) error {
		if err := context.Cause(ctx); err != nil || !missing(line) {
			return err
		}
		if err := s.ledger.mark(line, fateQueued); err != nil {
			return err
		}
		if _, err := s.queue.EnqueueAt(ctx, n, position(round, line)); err != nil {
			return &storeError{fmt.Errorf("line %d: %w", line, err)}
		}
		return nil
	})
}

// watch shows the progress until nothing is left, or ctx ends.
func (s *session) watch(ctx context.Context, enqueued <-chan struct{}) error {
	var told time.Time
	for empty := 0; ; {
		all := isClosed(enqueued) // check before counting, so that the count is complete
		status, err := s.status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		s.show.update(s.ledger.sentCount(), status.Dead)
		if now := time.Now(); now.Sub(told) >= time.Second {
			told = now
			if err := s.eachSecond(status); err != nil {
				return err
			}
		}
		if all && status.left() == 0 {
			if empty++; empty == 2 { // a server counts new messages a moment later
				return nil
			}
		} else {
			empty = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(progressInterval):
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// eachSecond says if nothing goes out, and syncs the state to disk, for status and in case of a
// power failure. It notices a full disk before the store does.
func (s *session) eachSecond(status queueStatus) error {
	if text := s.stall.text(status.left()); text != "" {
		s.show.say("%s", text)
	}
	return errors.Join(s.ledger.sync(), s.dir.probe(), writeStatus(s.dir, status))
}

func (s *session) status(ctx context.Context) (queueStatus, error) {
	status, err := countQueue(ctx, s.queue)
	if err != nil {
		err = &storeError{err}
	}
	return status, err
}
