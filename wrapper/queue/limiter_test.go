package queue_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Several limiters on one bucket together let through as much as one would: all of it at once,
// then nothing until the first attempt is a minute old.
func TestLimitersOfOneQueueShareTheirBudget(t *testing.T) {
	t.Parallel()
	nc := embedded(t, t.TempDir())
	const perMinute, processes = 100, 4
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var passed, failed atomic.Int32
	var waiting sync.WaitGroup
	for range processes {
		limiter := open(t, nc).Limiter(perMinute)
		for range 15 {
			waiting.Go(func() {
				for range 3 {
					switch err := limiter.Wait(ctx); {
					case err == nil:
						passed.Add(1)
					case errors.Is(err, context.DeadlineExceeded):
						failed.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
	}
	waiting.Wait()
	require.EqualValues(t, perMinute, passed.Load())
	require.EqualValues(t, 4*15*3-perMinute, failed.Load())
}

func TestALimiterFailsAtOnceWhereTheContextEndsBefore(t *testing.T) {
	t.Parallel()
	limiter := newQueue(t).Limiter(1)
	require.NoError(t, limiter.Wait(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	start := time.Now()
	require.ErrorIs(t, limiter.Wait(ctx), context.DeadlineExceeded)
	require.Less(t, time.Since(start), 5*time.Second)

	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, stop)
	require.ErrorIs(t, limiter.Wait(ctx), context.Canceled)
}

func TestALimiterOfAQueueFitsTheClient(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	for range 2 {
		_, err := whop.NewClient(whop.WithAPIKey("test"), whop.WithLimiter(q.Limiter(0)))
		require.NoError(t, err)
	}
}

// A worker that shuts down does not wait for turns, which may be far away.
func TestWorkEndsThoughTheLimiterHasNoTurnYet(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	for i := range 10 {
		enqueue(t, q, numbered(i))
	}
	stop := work(t, q, newClient(t, server, whop.WithLimiter(q.Limiter(1))), 4)
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 1 }))
	start := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(start), 10*time.Second)
	work(t, q, newClient(t, server), 4)
	eventually(t, q, queue.Stats{Sent: 10})
	require.Len(t, server.Requests(), 10)
}
