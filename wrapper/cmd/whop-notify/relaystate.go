package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// relayFile says that a state directory is a relay's.
const relayFile = "relay.json"

func isRelayState(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, relayFile))
	return err == nil
}

// openRelayState takes hold of a relay's directory, and opens the queue in it.
func openRelayState(ctx context.Context, name string, opts ...queue.Option) (*queue.Queue, *stateDir, func(), error) {
	dir, err := openStateDir(ctx, name)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err = dir.root.Lstat(stateFile); err == nil {
		dir.close()
		return nil, nil, nil, usageError(fmt.Errorf("%s is the directory of a batch: give the relay one of its own", name), "")
	}
	if _, err = dir.root.Lstat(relayFile); errors.Is(err, fs.ErrNotExist) {
		err = dir.write(relayFile, line(struct {
			Begun time.Time `json:"begun"`
		}{time.Now()}))
	}
	if err != nil {
		dir.discard()
		dir.close()
		return nil, nil, nil, dir.unusable(err)
	}
	q, closeQueue, err := openState(ctx, name, opts...)
	if err != nil {
		dir.close()
		return nil, nil, nil, err
	}
	return q, dir, func() { closeQueue(); dir.close() }, nil
}

// writeStatusEachSecond writes down, for the command status, what is in a queue that nobody
// else can look into. It returns an error if the directory is gone: the queue would go on in
// deleted files.
func writeStatusEachSecond(ctx context.Context, dir *stateDir, q *queue.Queue, logger *slog.Logger) error {
	for failing := false; ; {
		if dir.gone() {
			return fmt.Errorf("the state directory %s was deleted or replaced: what was stored in it goes with it, unless it is put back", dir.name)
		}
		status, err := countQueue(ctx, q)
		if err == nil {
			err = writeStatus(dir, status)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !failing {
			logger.Warn("what \"whop-notify status\" shows cannot be written down, will try again", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
