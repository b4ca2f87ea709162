package wrapper_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// paced makes a client with the default limiter over a transport that notes when each
// request left, and lets now and then one fail.
func paced(t *testing.T, failing float64) (client *whop.Client, left func() []time.Time) {
	t.Helper()
	var mu sync.Mutex
	var times []time.Time
	client, err := whop.NewClient(whop.WithAPIKey(testKey), inMemory(func(*http.Request) (*http.Response, error) {
		mu.Lock()
		times = append(times, time.Now())
		mu.Unlock()
		time.Sleep(rand.N(200 * time.Millisecond))
		if rand.Float64() < failing {
			return response(503, ""), nil
		}
		return response(200, queuedBody), nil
	}))
	require.NoError(t, err)
	return client, func() []time.Time { return times }
}

// mostIn returns the most events within any window that long, both of its ends included.
func mostIn(times []time.Time, window time.Duration) (most int) {
	first := 0
	for i := range times {
		for times[i].Sub(times[first]) > window {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// The default limiter lets as many go at once as Whop's limit allows, and never more than
// 590 in any 60 s, retries included.
func TestDefaultLimiterWindow(t *testing.T) {
	for _, test := range []struct {
		name        string
		n           int
		concurrency int
		failing     float64
		least, most time.Duration
	}{
		{name: "500_at_once", n: 500, concurrency: 500, most: time.Second},
		{name: "500_with_32_workers", n: 500, concurrency: 32, most: 4 * time.Second},
		{name: "900", n: 900, concurrency: 64, least: 60 * time.Second, most: 66 * time.Second},
		{name: "6000", n: 6000, concurrency: 590, least: 600 * time.Second, most: 612 * time.Second},
		{name: "3000_with_retries", n: 3000, concurrency: 32, failing: 0.1, least: 300 * time.Second, most: 420 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, left := paced(t, test.failing)
				start := time.Now()
				for range client.SendAll(t.Context(), repeat(paid, test.n), test.concurrency) {
				}
				took := time.Since(start)
				assert.GreaterOrEqual(t, took, test.least)
				assert.LessOrEqual(t, took, test.most)
				assert.LessOrEqual(t, mostIn(left(), time.Minute), 590)
				assert.GreaterOrEqual(t, len(left()), test.n)
			})
		})
	}
}

// Who cannot have a turn before the deadline is told so at once, and how long it would take.
func TestDefaultLimiterDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := paced(t, 0)
		start := time.Now()
		var waiting sync.WaitGroup
		for range 590 + 700 { // the first window is used up, the second is spoken for
			waiting.Go(func() { _, _ = client.Send(t.Context(), paid) })
		}
		synctest.Wait()
		for _, test := range []struct {
			deadline time.Duration
			refused  bool
		}{
			{deadline: 10 * time.Second, refused: true},
			{deadline: 61 * time.Second, refused: true},
			{deadline: 121 * time.Second, refused: true},
			{deadline: 130 * time.Second},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
			defer cancel()
			if !test.refused {
				_, err := client.Send(ctx, paid)
				assert.NoError(t, err)
				continue
			}
			_, err := client.Send(ctx, paid)
			failure, ok := errors.AsType[*whop.SendError](err)
			require.True(t, ok)
			assert.Equal(t, whop.NotSent, failure.Outcome)
			assert.Zero(t, failure.Attempts)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 122*time.Second, failure.RetryAfter)
			assert.True(t, failure.Retryable())
			assert.Zero(t, time.Since(start))
		}
		waiting.Wait()
	})
}

// Those who give up waiting take no slot from the others, who are served in their order.
func TestDefaultLimiterGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, left := paced(t, 0)
		for range client.SendAll(t.Context(), repeat(paid, 590), 590) {
		}
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range 5000 {
			waiting.Go(func() {
				_, err := client.Send(ctx, paid)
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		synctest.Wait()
		cancel()
		waiting.Wait()

		var served atomic.Int32
		start := time.Now()
		for range 500 {
			waiting.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 62*time.Second)
				defer cancel()
				_, err := client.Send(ctx, paid)
				assert.NoError(t, err)
				served.Add(1)
			})
		}
		waiting.Wait()
		assert.LessOrEqual(t, time.Since(start), 62*time.Second)
		assert.EqualValues(t, 500, served.Load())
		assert.LessOrEqual(t, mostIn(left(), time.Minute), 590)
	})
}
