package queue_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Several limiters on one bucket keep one pace. At 1,200 a minute an attempt goes every 53
// ms, after a burst of 20.
func TestLimitersOfOneQueueShareTheirBudget(t *testing.T) {
	t.Parallel()
	nc := embedded(t, t.TempDir())
	const perMinute, processes, waits = 1200, 4, 15
	var mu sync.Mutex
	var passed []time.Time
	var waiting sync.WaitGroup
	start := time.Now()
	for range processes {
		limiter := open(t, nc).Limiter(perMinute)
		for range 2 {
			waiting.Go(func() {
				for range waits {
					if err := limiter.Wait(t.Context()); err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					passed = append(passed, time.Now())
					mu.Unlock()
				}
			})
		}
	}
	waiting.Wait()
	const all = processes * 2 * waits
	require.Len(t, passed, all)
	slices.SortFunc(passed, time.Time.Compare)
	took := passed[all-1].Sub(start)
	interval := 62 * time.Second / (perMinute - perMinute/60 + 1)
	require.Greater(t, took, (all-perMinute/60-1)*interval)
	require.Less(t, took, all*interval+5*time.Second)
	for i := range passed { // the burst, and no more than the interval has room for
		inSecond := 0
		for _, later := range passed[i:] {
			if later.Sub(passed[i]) < time.Second {
				inSecond++
			}
		}
		require.LessOrEqual(t, inSecond, perMinute/60+int(time.Second/interval)+3)
	}
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

// A worker that is to end does not wait for turns, which may be far away.
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
