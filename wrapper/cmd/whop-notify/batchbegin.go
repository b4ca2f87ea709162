package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
)

// batch is one run of a batch.
type batch struct {
	flags     *batchFlags
	cmd       *cobra.Command
	input     string // "": continue without it
	inputGone bool
	contract  contract
	stderr    io.Writer
	logger    *slog.Logger

	dir    *stateDir
	state  *batchState
	ledger *ledger

	waiting     bool // for room on the disk
	alreadyDone bool // nothing was left to do when it began
	interrupted bool
	counted     bool         // the dead letters are counted too
	letters     []deadResult // at the end
	sums        summary      // at the end
}

// begin opens the state of a batch for the input, or creates it.
func (b *batch) begin(ctx context.Context) (err error) {
	if b.dir, err = openStateDir(ctx, b.flags.state); err != nil {
		return &exitError{code: exitNot, err: err}
	}
	if isRelayState(b.dir.name) {
		return usageError(fmt.Errorf("%s is the directory of a relay: give the batch one of its own", b.dir.name), "")
	}
	if b.state, err = loadState(b.dir.root); err != nil && !b.flags.restart {
		return usageError(err, b.damagedHint())
	}
	exists := err != nil || b.state != nil
	switch {
	case exists && !b.flags.restart:
		err = b.resume(ctx)
	case b.input == "":
		err = usageError(fmt.Errorf("no batch has begun in %s: give the FILE to begin with", b.dir.name), "")
	default:
		err = b.start(ctx, exists)
	}
	if err != nil {
		b.dir.discard()
	}
	return err
}

func (b *batch) restartHint() string {
	return "Give another --state DIR, or --restart to start over: that keeps the old directory aside as " + b.dir.name + ".1"
}

// damagedHint is for a directory that no longer says what was sent.
func (b *batch) damagedHint() string {
	return b.restartHint() + "\nEither sends every line, under new keys: leave out those that may have gone out"
}

// start copies the input, checks it, and begins a batch with it.
func (b *batch) start(ctx context.Context, exists bool) error {
	copied, pending, err := b.dir.create()
	if err != nil {
		return &exitError{code: exitNot, err: b.dir.unusable(err)}
	}
	defer copied.Close()
	in := whileCopied(ctx, b.input, b.cmd.InOrStdin(), copied)
	defer in.Close()
	found, err := check(ctx, in, b.flags.noBroadcast)
	if err != nil {
		return inputError(ctx, err)
	}
	if exists {
		next, aside, err := b.dir.setAside(ctx, pending)
		if err != nil {
			return &exitError{code: exitNot, err: fmt.Errorf("keeping the old state aside: %w", err)}
		}
		b.dir = next
		fmt.Fprintf(b.stderr, "the old state is kept in %s\n", oneLine(aside))
	}
	b.state = &batchState{Run: uuid.NewString(), manifest: found, contract: b.contract, Input: b.input, Begun: time.Now()}
	if err = errors.Join(copied.Sync(), b.dir.commit(pending, inputFile)); err == nil {
		b.ledger, err = createLedger(b.dir, found.Lines)
	}
	if err == nil {
		err = b.state.save(b.dir)
	}
	if err != nil {
		return &exitError{code: exitNot, err: b.dir.unusable(err), hint: "Nothing was sent."}
	}
	found.sayEverybody(b.stderr)
	return nil
}

// resume continues the batch of the directory, if it is the requested one.
func (b *batch) resume(ctx context.Context) error {
	if err := b.state.differsIn(b.contract); err != nil {
		return usageError(fmt.Errorf("the batch in %s (%s) %w", b.dir.name, b.state.history(), err), "Nothing was sent. "+b.restartHint())
	}
	ledger, ledgerErr := openLedger(b.dir.root, b.state.Lines)
	b.ledger = ledger
	switch done := !b.state.Finished.IsZero(); {
	case b.input == "":
	case b.inputGone && done:
		return usageError(fmt.Errorf("%s is not there; the batch in %s was %s", b.input, b.dir.name, b.state.history()), b.restartHint())
	case b.inputGone && filepath.Clean(b.input) != filepath.Clean(b.state.Input):
		return b.another(fmt.Errorf("%s is not there, and the batch in %s is of another file (%s)", b.input, b.dir.name, b.state.history()))
	case b.inputGone:
		fmt.Fprintf(b.stderr, "%s is gone: going on with the copy in %s\n", oneLine(b.input), oneLine(b.dir.name))
	default:
		found, err := b.readAgain(ctx)
		if err != nil {
			return inputError(ctx, err)
		}
		if err := b.state.differs(found); err != nil {
			return b.another(fmt.Errorf("this is not the file that the batch in %s was begun with (%s): %w", b.dir.name, b.state.history(), err))
		}
	}
	if b.flags.noBroadcast && b.state.Everybody > 0 {
		return usageError(fmt.Errorf("%d of %s go to everybody, which --no-broadcast refuses", b.state.Everybody, counted(b.state.Notifications)), "")
	}
	if ledgerErr != nil {
		return &exitError{code: exitNot, err: ledgerErr, hint: b.damagedHint()}
	}
	return nil
}

// another refuses a directory that belongs to another input.
func (b *batch) another(err error) error {
	hint := "This run sent nothing. " + b.restartHint() + "\nEither sends every line of the file, under new keys: leave out those that the other batch has sent."
	if b.state.Finished.IsZero() {
		hint += "\nTo finish that batch without its input: whop-notify batch --state " + shellQuoted(b.dir.name)
	}
	return usageError(err, hint)
}

// readAgain reads the input to recognize it. It puts back a copy that is gone and still needed.
func (b *batch) readAgain(ctx context.Context) (manifest, error) {
	done := !b.state.Finished.IsZero() && b.state.ExitCode == exitQueued && (b.ledger == nil || b.ledger.sentCount() == b.state.Notifications)
	if _, err := b.dir.root.Lstat(inputFile); done || !errors.Is(err, fs.ErrNotExist) {
		return sizeUp(ctx, b.input, b.cmd.InOrStdin(), io.Discard)
	}
	copied, pending, err := b.dir.create()
	if err != nil {
		return manifest{}, &copyError{err}
	}
	defer copied.Close()
	found, err := sizeUp(ctx, b.input, b.cmd.InOrStdin(), copied)
	if err != nil || found.Sum != b.state.Sum {
		_ = b.dir.root.Remove(pending)
		return found, err
	}
	if err := errors.Join(copied.Sync(), b.dir.commit(pending, inputFile)); err != nil {
		return found, &copyError{err}
	}
	return found, nil
}

// sizeUp copies an input for its checksum, and counts the lines that may be notifications.
func sizeUp(ctx context.Context, name string, stdin io.Reader, to io.Writer) (manifest, error) {
	in := whileCopied(ctx, name, stdin, to)
	defer in.Close()
	var m manifest
	lines := newLineReader(in)
	err := lines.each(func([]byte) error {
		m.Notifications++
		return context.Cause(ctx)
	})
	m.Sum = lines.sum()
	return m, err
}

func (b *batch) close() {
	if b.ledger != nil {
		_ = b.ledger.close()
	}
	if b.dir != nil {
		b.dir.close()
	}
}
