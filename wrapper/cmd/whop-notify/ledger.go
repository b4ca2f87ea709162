package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// fate is the state of one line of a batch. It is a byte of the ledger. A single flipped bit
// never turns one fate into another.
type fate byte

const (
	fateNone            fate = 0   // blank, or not in the queue yet: certainly not attempted
	fateQueued          fate = 'q' // it may be in the queue, and may have been attempted
	fateSent            fate = 's' // Whop has it
	fateDroppedRejected fate = 'R' // it was a dead letter, and somebody dropped it
	fateDroppedNotSent  fate = 'N'
	fateDroppedUnknown  fate = 'U'
)

// dropped returns the fate of a dropped dead letter.
func dropped(o whop.Outcome) fate {
	switch o {
	case whop.Rejected:
		return fateDroppedRejected
	case whop.NotSent:
		return fateDroppedNotSent
	}
	return fateDroppedUnknown
}

const ledgerFile = "ledger"

// ledger keeps the fate of every line of a batch, apart from the queue. So the final report
// does not depend on a store that may be damaged.
type ledger struct {
	file *os.File

	mu    sync.Mutex
	fates []fate // by line, from 1
	sent  int
	err   error // why not all of them are in the file; until sync has written them
}

// createLedger creates a ledger and reserves all of its room on the disk, so that writing cannot
// run out of it later.
func createLedger(d *stateDir, lines int) (*ledger, error) {
	f, pending, err := d.create()
	if err != nil {
		return nil, err
	}
	_, err = io.CopyN(f, zeros{}, int64(lines))
	if err = errors.Join(err, f.Sync()); err == nil {
		err = d.commit(pending, ledgerFile)
	}
	if err != nil {
		_ = d.root.Remove(pending)
		return nil, errors.Join(err, f.Close())
	}
	return &ledger{file: f, fates: make([]fate, lines+1)}, nil
}

// openLedger reads the ledger of a batch with this many lines.
func openLedger(root *os.Root, lines int) (*ledger, error) {
	f, err := root.OpenFile(ledgerFile, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("the record of what was sent: %w", err)
	}
	content, err := io.ReadAll(f)
	if err == nil && len(content) != lines {
		err = fmt.Errorf("it has %d entries in place of %d", len(content), lines)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the record of what was sent, %s, is damaged: %w", f.Name(), err), f.Close())
	}
	l := &ledger{file: f, fates: make([]fate, lines+1)}
	for i, b := range content {
		switch f := fate(b); f {
		case fateNone, fateQueued, fateDroppedRejected, fateDroppedNotSent, fateDroppedUnknown:
			l.fates[i+1] = f
		case fateSent:
			l.fates[i+1] = f
			l.sent++
		default: // damaged: as good as nothing known
			l.fates[i+1] = fateQueued
		}
	}
	return l, nil
}

// mark records the fate of a line. It keeps the first error of writing until sync has mended it.
func (l *ledger) mark(line int, f fate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line < 1 || line >= len(l.fates) || l.fates[line] == f || l.fates[line] == fateSent {
		return l.err
	}
	if _, err := l.file.WriteAt([]byte{byte(f)}, int64(line-1)); err != nil && l.err == nil {
		l.err = fmt.Errorf("writing down what was sent: %w", err)
	}
	l.fates[line] = f
	if f == fateSent {
		l.sent++
	}
	return l.err
}

func (l *ledger) of(line int) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fates[line]
}

func (l *ledger) sentCount() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent
}

// sync syncs the ledger to disk. What could not be written before, it writes again.
func (l *ledger) sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		content := make([]byte, len(l.fates)-1)
		for i, f := range l.fates[1:] {
			content[i] = byte(f)
		}
		if _, err := l.file.WriteAt(content, 0); err != nil {
			return l.err
		}
		l.err = nil
	}
	return l.file.Sync()
}

func (l *ledger) close() error { return errors.Join(l.sync(), l.file.Close()) }
