package wrapper_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// numbered returns n notifications, each under its number as its key, and counts what
// was pulled.
func numbered(n int, pulled *atomic.Int32) iter.Seq[whop.Notification] {
	return func(yield func(whop.Notification) bool) {
		for i := range n {
			pulled.Add(1)
			if !yield(paid.WithIdempotencyKey(strconv.Itoa(i))) {
				return
			}
		}
	}
}

// taking returns a transport that queues after d.
func taking(d time.Duration) whop.Option {
	return inMemory(func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return response(200, queuedBody), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})
}

// Each result is yielded once.
func TestSendAllResults(t *testing.T) {
	refused := errors.New("refused")
	client := newClient(t, "https://whop.test", inMemory(func(r *http.Request) (*http.Response, error) {
		if sentKey(r) == "17" {
			return nil, refused
		}
		return response(200, queuedBody), nil
	}))
	for _, concurrency := range []int{-1, 0, 1, 2, 16, 1000} {
		var pulled atomic.Int32
		var seen []int
		for r := range client.SendAll(t.Context(), numbered(300, &pulled), concurrency) {
			seen = append(seen, r.Index)
			if r.Index == 17 {
				assert.ErrorIs(t, r.Err, refused)
				assert.Nil(t, r.Receipt)
				continue
			}
			require.NoError(t, r.Err)
			assert.Equal(t, strconv.Itoa(r.Index), r.Receipt.IdempotencyKey)
			assert.NoError(t, r.Notification.Validate())
		}
		slices.Sort(seen)
		require.Len(t, seen, 300, "concurrency %d", concurrency)
		for i, index := range seen {
			require.Equal(t, i, index)
		}
	}
	for range client.SendAll(t.Context(), slices.Values([]whop.Notification{}), 4) {
		t.Error("a result of nothing")
	}
}

func TestSendAllConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pulled, inFlight, most atomic.Int32
		client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
			for now := inFlight.Add(1); ; {
				old := most.Load()
				if now <= old || most.CompareAndSwap(old, now) {
					break
				}
			}
			time.Sleep(time.Second)
			inFlight.Add(-1)
			return response(200, queuedBody), nil
		}))
		start := time.Now()
		results := 0
		for range client.SendAll(t.Context(), numbered(100, &pulled), 10) {
			results++
			synctest.Wait()
			assert.LessOrEqual(t, int(pulled.Load()), results+10, "it pulls only as results are taken")
		}
		assert.EqualValues(t, 10, most.Load())
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestSendAllBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pulled, cancelled atomic.Int32
		client := newClient(t, "https://whop.test", inMemory(func(r *http.Request) (*http.Response, error) {
			if sentKey(r) == "0" {
				return response(200, queuedBody), nil
			}
			<-r.Context().Done()
			cancelled.Add(1)
			return nil, r.Context().Err()
		}))
		for r := range client.SendAll(t.Context(), numbered(1000, &pulled), 8) {
			require.NoError(t, r.Err)
			synctest.Wait()
			break
		}
		// synctest.Test fails if a goroutine is left; these have been awaited.
		assert.Equal(t, pulled.Load(), cancelled.Load()+1)
		assert.LessOrEqual(t, pulled.Load(), int32(9))
	})
}

func TestSendAllContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pulled atomic.Int32
		client := newClient(t, "https://whop.test", taking(time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		var sent, failed int
		for r := range client.SendAll(ctx, numbered(1000, &pulled), 5) {
			if r.Err == nil {
				sent++
				continue
			}
			failed++
			assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
		}
		assert.Equal(t, 15, sent)
		assert.Equal(t, 5, failed)
		assert.EqualValues(t, sent+failed, pulled.Load(), "what was pulled yields its result, and no more is pulled")
	})
}

func TestSendAllEndedContext(t *testing.T) {
	var pulled atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for r := range newClient(t, "https://whop.test", taking(0)).SendAll(ctx, numbered(100, &pulled), 4) {
		assert.ErrorIs(t, r.Err, context.Canceled)
	}
	assert.Zero(t, pulled.Load())
}

// A slow source holds back no result.
func TestSendAllSlowSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", taking(time.Second))
		slow := func(yield func(whop.Notification) bool) {
			for range 3 {
				if !yield(paid) {
					return
				}
				time.Sleep(time.Minute)
			}
		}
		start := time.Now()
		for r := range client.SendAll(t.Context(), slow, 4) {
			assert.Equal(t, time.Duration(r.Index)*time.Minute+time.Second, time.Since(start))
		}
		assert.Equal(t, 3*time.Minute, time.Since(start))
	})
}

// A slow reader is not outrun.
func TestSendAllSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pulled atomic.Int32
		client := newClient(t, "https://whop.test", taking(0))
		results := 0
		for range client.SendAll(t.Context(), numbered(20, &pulled), 3) {
			results++
			time.Sleep(time.Hour)
			assert.LessOrEqual(t, int(pulled.Load()), results+3)
		}
		assert.Equal(t, 20, results)
	})
}

// A panic surfaces where the sequence is ranged over.
func TestSendAllPanic(t *testing.T) {
	defer func() { _ = recover() }()
	for name, test := range map[string]struct {
		source iter.Seq[whop.Notification]
		option whop.Option
	}{
		"in the source": {
			source: func(yield func(whop.Notification) bool) { yield(paid); panic("cursor closed") },
			option: taking(0),
		},
		"in the observer": {
			source: slices.Values([]whop.Notification{paid, paid, paid}),
			option: whop.WithObserver(func(context.Context, whop.Attempt) { panic("cursor closed") }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, "https://whop.test", taking(0), test.option)
			assert.PanicsWithValue(t, "cursor closed", func() {
				for range client.SendAll(t.Context(), test.source, 2) {
				}
			})
		})
	}
	t.Run("in_the_loop", func(t *testing.T) {
		var pulled atomic.Int32
		client := newClient(t, "https://whop.test", taking(0))
		assert.PanicsWithValue(t, "mine", func() {
			for range client.SendAll(t.Context(), numbered(100, &pulled), 2) {
				panic("mine")
			}
		})
	})
	t.Run("Goexit", func(t *testing.T) {
		client := newClient(t, "https://whop.test", taking(0))
		done := make(chan bool)
		go func() {
			finished := false
			defer func() { done <- finished }()
			for range client.SendAll(t.Context(), func(func(whop.Notification) bool) { runtime.Goexit() }, 2) {
			}
			finished = true
		}()
		assert.False(t, <-done)
	})
}

// SendAll respects the limiter and the hold.
func TestSendAllPacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Time
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 5}), inMemory(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			if len(at) == 50 {
				return response(429, "", "Retry-After", "30"), nil
			}
			time.Sleep(100 * time.Millisecond)
			return response(200, queuedBody), nil
		}))
		var pulled atomic.Int32
		for r := range client.SendAll(t.Context(), numbered(200, &pulled), 1) {
			require.NoError(t, r.Err)
		}
		require.Len(t, at, 201)
		assert.GreaterOrEqual(t, at[50].Sub(at[49]), 30*time.Second)
	})
}

// Its memory does not depend on how many there are.
func TestSendAllMemory(t *testing.T) {
	client := newClient(t, "https://whop.test", taking(0))
	live := func(n int) uint64 {
		var pulled atomic.Int32
		var stats runtime.MemStats
		for r := range client.SendAll(t.Context(), numbered(n, &pulled), 16) {
			if r.Index == n-1 {
				runtime.GC()
				runtime.ReadMemStats(&stats)
			}
		}
		return stats.HeapAlloc
	}
	few, many := live(1_000), live(30_000)
	assert.Less(t, many, few+1<<20, "live heap")
}

// first ranges over all and returns the first result.
func first(results iter.Seq[whop.Result]) (r whop.Result) {
	found := false
	for result := range results {
		if !found {
			r, found = result, true
		}
	}
	return r
}

// repeat returns the same notification n times.
func repeat(n whop.Notification, times int) iter.Seq[whop.Notification] {
	return func(yield func(whop.Notification) bool) {
		for range times {
			if !yield(n) {
				return
			}
		}
	}
}

// SendAll ends with its context though the source blocks.
func TestSendAllBlockedSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client := newClient(t, "https://whop.test", taking(time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		var indexes []int
		for r := range client.SendAll(ctx, func(yield func(whop.Notification) bool) {
			if yield(paid) {
				<-release
				yield(paid)
			}
		}, 4) {
			indexes = append(indexes, r.Index)
			assert.ErrorIs(t, r.Err, context.DeadlineExceeded)
		}
		assert.Equal(t, []int{0}, indexes)
		assert.Less(t, time.Since(start), time.Minute+time.Second)
		close(release) // the source may go on; what it then yields is not sent
		synctest.Wait()
	})
}

// The sequence is for one range.
func TestSendAllSecondRange(t *testing.T) {
	var pulled atomic.Int32
	var requests atomic.Int32
	client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
		requests.Add(1)
		return response(200, queuedBody), nil
	}))
	all := client.SendAll(t.Context(), numbered(5, &pulled), 2)
	for r := range all {
		require.NoError(t, r.Err)
	}
	var again []whop.Result
	for r := range all {
		again = append(again, r)
	}
	require.Len(t, again, 1)
	assert.Equal(t, -1, again[0].Index)
	assert.ErrorContains(t, again[0].Err, "SendAll is for one range")
	failure, ok := errors.AsType[*whop.SendError](again[0].Err)
	require.True(t, ok)
	assert.Equal(t, whop.NotSent, failure.Outcome)
	assert.EqualValues(t, 5, requests.Load())
}

// An outage in which nothing connects does not use up the sequence.
func TestSendAllNoConnection(t *testing.T) {
	for _, policy := range []whop.RetryPolicy{{}, {MaxAttempts: 1}} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			client := newClient(t, "https://whop.test", whop.WithRetryPolicy(policy), inMemory(func(*http.Request) (*http.Response, error) {
				if since := time.Since(start); since > time.Second && since < 2*time.Second {
					return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
				}
				time.Sleep(time.Millisecond)
				return response(200, queuedBody), nil
			}))
			var failed int
			for r := range client.SendAll(t.Context(), repeat(paid, 35_000), 16) {
				if r.Err != nil {
					failed++
				}
			}
			assert.Less(t, failed, 100)
			assert.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

// The end of the sequence is the end of the range, also where workers wait for an outage to pass.
func TestSendAllNoConnectionAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}), inMemory(func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
		}))
		start := time.Now()
		for r := range client.SendAll(t.Context(), repeat(paid, 3), 3) {
			assert.Error(t, r.Err)
		}
		assert.Zero(t, time.Since(start))
	})
}

// A context that has ended pulls nothing, whichever of slot and end is seen first.
func TestSendAllPullsNothingAfterTheEnd(t *testing.T) {
	client := newClient(t, "https://whop.test", inMemory(inTurn()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 200 {
		var pulled atomic.Int32
		for range client.SendAll(ctx, numbered(1, &pulled), 1) {
		}
		require.Zero(t, pulled.Load())
	}
}
