package queue

import (
	"context"
	"fmt"
)

const (
	checkKey = "check"
	// checkSize is more than a full disk can still add to an existing file.
	checkSize = 8 << 10
)

// Check stores a few KiB, which replace those of the last call. An error means that the queue
// cannot accept a notification now: for example, the server is away, or has no quorum or no
// room.
func (q *Queue) Check(ctx context.Context) error {
	if _, err := q.put(ctx, checkKey, make([]byte, checkSize)); err != nil {
		return fmt.Errorf("queue: storing nothing but a check: %w", err)
	}
	return nil
}
