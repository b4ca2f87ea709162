package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	// runAgain is the advice when a batch ends before it is done.
	runAgain = "Nothing is lost: run the same command again."
	// maxFailures is how often the store is reopened after a failure, if nothing moved in
	// between.
	maxFailures = 3
)

// send works on the batch until nothing is left, ctx ends, or continuing is pointless. A
// full disk makes it wait.
func (b *batch) send(ctx context.Context) error {
	if b.ledger.sentCount() == b.state.Notifications && !b.state.Finished.IsZero() {
		b.alreadyDone = true
		return nil
	}
	show := newProgress(b.stderr, b.state.Notifications, b.ledger.sentCount())
	defer show.close()
	defer func() {
		if b.interrupted && !b.counted { // the store does not say what is dead
			b.tally(nil, false)
		}
	}()
	for failures, sent := 0, 0; ; {
		b.counted = false
		err := b.session(ctx, show)
		if b.interrupted = ctx.Err() != nil; err == nil && !b.alreadyDone && b.sums.Done {
			err = b.writeDone()
		}
		if err == nil || b.interrupted {
			return nil
		}
		if now := b.ledger.sentCount(); now > sent {
			failures, sent = 0, now
		}
		if isFull(err) || isFull(b.dir.probe()) {
			b.sayFull(show)
			if b.interrupted = !b.waitForRoom(ctx); b.interrupted {
				return nil
			}
			b.waiting = false
			show.say("there is room again: going on")
			continue
		}
		if failures++; !isStoreFailure(err) || failures > maxFailures {
			return sendingError(err)
		}
		show.say("the store in %s failed, and is opened again: %v", b.dir.name, err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// writeDone records that nothing is left to do.
func (b *batch) writeDone() error {
	done := *b.state
	done.Finished, done.ExitCode, done.Summary = time.Now(), b.sums.exitCode(), &b.sums
	b.sums.Finished = done.Finished
	if err := errors.Join(b.ledger.sync(), done.save(b.dir)); err != nil {
		return &exitError{code: exitNot, err: fmt.Errorf("writing down that the batch is done: %w", err), hint: runAgain}
	}
	b.state = &done
	if done.ExitCode == exitQueued {
		_ = b.dir.root.Remove(inputFile) // it is not needed any more
	}
	return nil
}

// waitForRoom waits until the ledger can be written, and the disk has room for more. It reports
// false if ctx ended before.
func (b *batch) waitForRoom(ctx context.Context) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
		}
		if b.ledger.sync() == nil && b.dir.probe() == nil {
			return true
		}
	}
}

// sayFull says once that the batch waits.
func (b *batch) sayFull(show *progress) {
	if !b.waiting {
		b.waiting = true
		show.say("the disk of the state directory %s is full: waiting until there is room", b.dir.name)
	}
}

// storeError is an error of the queue's own store, which may work again once it is reopened.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

func isStoreFailure(err error) bool {
	_, ok := errors.AsType[*storeError](err)
	return ok
}

// isRefusal reports whether Whop refuses everything. Reopening the store does not help then.
func isRefusal(err error) bool {
	_, answered := errors.AsType[*whop.APIError](err)
	return answered
}

// sendingError adds the exit code and advice to an error that ends a run.
func sendingError(err error) error {
	if _, coded := errors.AsType[*exitError](err); coded {
		return err
	}
	hint := runAgain
	switch {
	case isRefusal(err):
		hint = "Nothing is lost: correct the key, its permission or the base URL, and run the same command again."
	case errors.Is(err, errChanged):
		hint = "What was queued before is safe. Delete " + inputFile + " in the state directory, and give the file again that the batch was begun with."
	case errors.Is(err, errCopyGone):
		hint = "Nothing is lost: give the file again that the batch was begun with."
	}
	return &exitError{code: exitNot, err: err, hint: hint}
}

// oldestSafe is the age of a batch up to which a line that may have been attempted can safely be
// sent again under its key: Whop remembers keys for 24 hours
// (docs.whop.com, developer/api/idempotency).
const oldestSafe = 23 * time.Hour

// again reports whether lines that may have been attempted may be sent again.
func (b *batch) again() bool { return time.Since(b.state.Begun) < oldestSafe }

// sayLost names the lines that the store has lost.
func (b *batch) sayLost(show *progress, lost int) {
	then := "sending them again under the same keys, which notifies nobody twice"
	if !b.again() {
		then = "whether they went out is unknown, and they are too old to send again under the same keys"
	}
	show.say("the store in %s no longer has %s that may have been attempted (it was damaged, or the process was killed): %s",
		b.dir.name, counted(lost), then)
}

func (b *batch) whereDead() string {
	return "See which, and why: whop-notify dead list --state " + shellQuoted(b.dir.name)
}

// report prints the result of the batch, and returns the exit code.
func (b *batch) report() error {
	s := b.sums
	if b.alreadyDone {
		s = *b.state.Summary
	}
	b.print(s)
	code, hint := s.exitCode(), b.whereDead()
	if s.Lost > 0 {
		hint += fmt.Sprintf("\nThe store has lost %s of them, which that does not show.", counted(s.Lost))
	}
	if b.alreadyDone {
		code = b.state.ExitCode
	}
	switch {
	case b.interrupted:
		return &exitError{code: exitNot, err: fmt.Errorf("interrupted, with %s to go", counted(s.ToGo)), hint: runAgain}
	case code == exitUnknown:
		return &exitError{code: code, err: fmt.Errorf("unknown whether they go out: %s; not queued: %d more", counted(s.Unknown), s.Rejected+s.NotSent), hint: hint}
	case code != exitQueued:
		return &exitError{code: code, err: fmt.Errorf("not queued: %s", counted(s.failed())), hint: b.whereDead()}
	}
	return nil
}

func (b *batch) print(s summary) {
	if b.flags.output == jsonFormat {
		for _, letter := range b.letters {
			writeSummary(b.cmd, line(letter))
		}
		writeSummary(b.cmd, line(s))
		return
	}
	text := s.text(styleOf(b.cmd.OutOrStdout()))
	if b.alreadyDone {
		text = append([]byte("already done on "+s.Finished.Format(shownTime)+": "), text...)
	}
	writeSummary(b.cmd, text)
}
