package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// The exit code of enqueue is that of its worst line.
func TestTheExitOfEnqueue(t *testing.T) {
	interrupted := errors.New("interrupt signal received")
	for _, test := range []struct {
		name string
		sums enqueueSums
		err  error
		code int
		says string
	}{
		{name: "all", sums: enqueueSums{Notifications: 3, Enqueued: 3}, code: exitQueued},
		{name: "all_before", sums: enqueueSums{Notifications: 3, Duplicates: 3}, code: exitQueued},
		{name: "some_not", sums: enqueueSums{Notifications: 3, Enqueued: 2, NotEnqueued: 1}, code: exitNot, says: "not in the queue: 1 notification"},
		{name: "some_dead", sums: enqueueSums{Notifications: 3, Enqueued: 2, WillNotGo: 1}, code: exitNot, says: "will not go out by themselves"},
		{name: "uncertain", sums: enqueueSums{Notifications: 3, NotEnqueued: 2, Uncertain: 1}, code: exitUnknown, says: "not certain to be in the queue: 1 notification; certainly not: 2 more"},
		{name: "interrupted", sums: enqueueSums{Notifications: 3, Enqueued: 1, NotEnqueued: 2}, err: interrupted, code: exitNot, says: "interrupt signal received"},
		{name: "interrupted_in_doubt", sums: enqueueSums{Notifications: 3, Enqueued: 1, NotEnqueued: 1, Uncertain: 1}, err: interrupted, code: exitUnknown, says: "interrupt signal received: not certain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.sums.exit(test.err, "", "run")
			code := exitQueued
			if exit, ok := errors.AsType[*exitError](err); ok {
				code = exit.code
			}
			require.Equal(t, test.code, code)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
			}
		})
	}
}
