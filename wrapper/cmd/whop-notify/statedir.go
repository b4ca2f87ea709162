package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// stateDir is the directory in which a batch keeps its state, locked by this process. It is
// opened as a root, so that no write follows a symlink out of it.
type stateDir struct {
	name  string
	root  *os.Root
	lock  *flock.Flock
	fresh bool // this process created it
}

// errInUse says that another process uses the directory.
var errInUse = errors.New("another process is at work")

// lockPatience is how long a command waits for another one to let go of the directory: one that
// only looks into it, such as status, takes less.
const lockPatience = 2 * time.Second

// openStateDir opens a directory to work in. It fails at once if nothing can be written there.
func openStateDir(ctx context.Context, name string) (*stateDir, error) {
	d, err := lockStateDir(ctx, name, lockPatience)
	if err != nil {
		return nil, err
	}
	if err := d.probe(); err != nil {
		d.discard()
		d.close()
		return nil, d.unusable(err)
	}
	return d, nil
}

// lockStateDir creates the directory if it is missing, and locks it.
func lockStateDir(ctx context.Context, name string, patience time.Duration) (*stateDir, error) {
	d := &stateDir{name: name}
	_, err := os.Stat(name)
	d.fresh = errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, d.unusable(err)
	}
	if d.root, err = os.OpenRoot(name); err != nil {
		return nil, d.unusable(err)
	}
	d.lock = flock.New(filepath.Join(name, "lock"))
	waiting, cancel := context.WithTimeoutCause(ctx, patience, errInUse)
	defer cancel()
	locked, err := d.lock.TryLock()
	if err == nil && !locked {
		_, err = d.lock.TryLockContext(waiting, 50*time.Millisecond)
		if waiting.Err() != nil {
			err = context.Cause(waiting)
		}
	}
	if err != nil { // what is in it is another's
		d.close()
		return nil, d.unusable(err)
	}
	d.removePending()
	return d, nil
}

// unusable marks an error as one about the directory.
func (d *stateDir) unusable(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("the disk of the state directory %s is full: %w", d.name, err)
	case errors.Is(err, errInUse):
		return fmt.Errorf("%w on %s; wait for it, or stop it", err, d.name)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the state directory %s cannot be used: %w; give another --state DIR", d.name, err)
	}
	return fmt.Errorf("the state directory %s cannot be used: %w", d.name, err)
}

func (d *stateDir) close() {
	_ = d.lock.Unlock()
	_ = d.root.Close()
}

// discard removes the directory again if it was not there before, and nothing is in it.
func (d *stateDir) discard() {
	d.removePending()
	if d.fresh {
		_ = d.root.Remove("lock")
		_ = os.Remove(d.name) // only if it is empty
	}
}

// setAside renames the directory to NAME.1 or the next free name, and opens a new one in its
// place. A pending file moves to the new one.
func (d *stateDir) setAside(ctx context.Context, pending string) (*stateDir, string, error) {
	d.close()
	aside := ""
	for i := 1; ; i++ {
		aside = fmt.Sprintf("%s.%d", filepath.Clean(d.name), i)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err := os.Rename(d.name, aside); err != nil {
		return nil, "", err
	}
	next, err := openStateDir(ctx, d.name)
	if err != nil {
		return nil, aside, err
	}
	return next, aside, os.Rename(filepath.Join(aside, pending), filepath.Join(d.name, pending))
}

// gone reports whether the directory was deleted, or another one is in its place.
func (d *stateDir) gone() bool {
	there, err := os.Stat(d.name)
	mine, mineErr := d.root.Stat(".")
	return errors.Is(err, fs.ErrNotExist) || err == nil && mineErr == nil && !os.SameFile(there, mine)
}

const pendingPattern = ".*.tmp"

// create creates a file under an unpredictable name, to be renamed once it is complete.
func (d *stateDir) create() (*os.File, string, error) {
	name := "." + rand.Text() + ".tmp"
	f, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	return f, name, err
}

// removePending removes the unfinished files of a killed process.
func (d *stateDir) removePending() {
	names, _ := fs.Glob(d.root.FS(), pendingPattern)
	for _, name := range names {
		_ = d.root.Remove(name)
	}
}

// write writes a file atomically, and syncs it to disk.
func (d *stateDir) write(name string, content []byte) error {
	if err := d.put(name, content, (*os.File).Sync); err != nil {
		return err
	}
	d.sync()
	return nil
}

// replace writes a file atomically. A power failure may undo it.
func (d *stateDir) replace(name string, content []byte) error {
	return d.put(name, content, func(*os.File) error { return nil })
}

func (d *stateDir) put(name string, content []byte, sync func(*os.File) error) error {
	f, pending, err := d.create()
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, sync(f), f.Close()); err == nil {
		err = d.root.Rename(pending, name)
	}
	if err != nil {
		_ = d.root.Remove(pending)
		return err
	}
	return nil
}

// commit renames a pending file to its final name.
func (d *stateDir) commit(pending, name string) error {
	if err := d.root.Rename(pending, name); err != nil {
		return err
	}
	d.sync()
	return nil
}

// sync syncs the list of files to disk, if the system can.
func (d *stateDir) sync() {
	if dir, err := d.root.Open("."); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}

// roomToGoOn is how many bytes must be free on the disk: what a batch needs at once.
const roomToGoOn = 512 << 10

// probe finds out whether there is room on the disk, before the store runs out of it.
func (d *stateDir) probe() error {
	f, name, err := d.create()
	if err != nil {
		return err
	}
	defer func() { _ = d.root.Remove(name) }()
	_, err = io.CopyN(f, zeros{}, roomToGoOn)
	return errors.Join(err, f.Close())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// openState opens the queue in the state directory of a batch.
func openState(ctx context.Context, dir string, opts ...queue.Option) (*queue.Queue, func(), error) {
	nc, stop, err := queue.Embedded(filepath.Join(dir, "queue"))
	if errors.Is(err, queue.ErrInUse) {
		return nil, nil, fmt.Errorf("%w on %s; wait for it, or stop it", errInUse, dir)
	}
	if err != nil {
		return nil, nil, err
	}
	q, err := openQueue(ctx, nc, "the store did not open within 15 s: is the disk busy?", opts...)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return q, func() { _ = stop() }, nil
}
