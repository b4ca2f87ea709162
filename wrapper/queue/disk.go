package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// disk is an embedded server with its directory. What the server confirms it has handed to
// the operating system, which outlives the process; what outlives a power failure is what was
// synced as well. The server could do that itself, but only for one message at a time
// (sync_interval: always); here everybody who waits shares one sync.
type disk struct {
	*server.Server
	dir string

	mu   sync.Mutex
	next *pendingSync // that others can still join

	running sync.Mutex
	synced  map[string]int64 // up to which size, by file
}

type pendingSync struct {
	done chan struct{}
	err  error
}

// sync returns nil when everything that was confirmed before the call is on the disk.
func (d *disk) sync(ctx context.Context) error {
	d.mu.Lock()
	s := d.next
	if s == nil {
		s = &pendingSync{done: make(chan struct{})}
		d.next = s
		go d.run(s)
	}
	d.mu.Unlock()
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *disk) run(s *pendingSync) {
	defer close(s.done)
	d.running.Lock()
	defer d.running.Unlock()
	d.mu.Lock()
	d.next = nil
	d.mu.Unlock()
	if s.err = d.syncBlocks(); s.err != nil {
		s.err = fmt.Errorf("syncing to the disk: %w", s.err)
	}
}

// syncBlocks syncs the message blocks that have grown, to which the server appends all that
// it stores. From them and from what a stream is made with (see syncNew) it makes anew what
// else is in its directory.
func (d *disk) syncBlocks() error {
	blocks := 0
	err := filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".blk") {
			return ignoreGone(err)
		}
		blocks++
		info, err := entry.Info()
		if err != nil {
			return ignoreGone(err)
		}
		size, known := d.synced[path]
		if known && size == info.Size() {
			return nil
		}
		if !known && runtime.GOOS != "windows" { // where a directory cannot be synced
			err = syncPath(filepath.Dir(path), os.O_RDONLY)
		}
		if err = errors.Join(err, syncPath(path, os.O_RDWR)); err == nil {
			d.synced[path] = info.Size()
		}
		return err
	})
	if err == nil && blocks == 0 {
		return errors.New("the server has no message blocks where it used to have them")
	}
	return err
}

// syncNew brings to the disk what an embedded server has made the streams with.
func (q *Queue) syncNew() error {
	d, ok := q.js.Conn().Opts.InProcessServer.(*disk)
	if !ok {
		return nil
	}
	return filepath.WalkDir(d.dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return ignoreGone(err)
		case !entry.IsDir():
			return syncPath(path, os.O_RDWR)
		case runtime.GOOS != "windows":
			return syncPath(path, os.O_RDONLY)
		}
		return nil
	})
}

func syncPath(path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return ignoreGone(err)
	}
	defer f.Close()
	return f.Sync()
}

// ignoreGone: what the server has removed meanwhile needs no sync.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
