package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// openState opens the queue in the state directory of a batch.
func openState(ctx context.Context, dir string, opts ...queue.Option) (*queue.Queue, func(), error) {
	nc, stop, err := queue.Embedded(filepath.Join(dir, "queue"))
	if errors.Is(err, queue.ErrInUse) {
		return nil, nil, fmt.Errorf("another process is at work on %s; wait for it, or stop it", dir)
	}
	if err != nil {
		return nil, nil, err
	}
	q, err := openQueue(ctx, nc, opts...)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return q, func() { _ = stop() }, nil
}
