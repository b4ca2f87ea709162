package queue

import (
	"context"
	"fmt"
)

const (
	checkKey = "check"
	// checkSize is more than what a full disk still has room for in a file that is there.
	checkSize = 8 << 10
)

// Check stores a few KiB in the place of those of the last call. An error says that the queue
// could not take a notification now, as where the server is away, has no quorum or no room.
func (q *Queue) Check(ctx context.Context) error {
	err := q.ask(ctx, func(ctx context.Context) error {
		_, err := q.state.Put(ctx, checkKey, make([]byte, checkSize))
		return err
	})
	if err != nil {
		return fmt.Errorf("queue: storing nothing but a check: %w", err)
	}
	return nil
}
