package wrapper_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

func TestDefaultLimiterRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Time
		client, err := whop.NewClient(whop.WithAPIKey(testKey), inMemory(func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Now())
			if len(at)%5 == 0 {
				return response(503, ""), nil // retries count too
			}
			return response(200, queuedBody), nil
		}))
		require.NoError(t, err)
		start := time.Now()
		var workers sync.WaitGroup
		for range 32 {
			workers.Go(func() {
				for time.Since(start) < 5*time.Minute {
					_, _ = client.Send(t.Context(), paid)
				}
			})
		}
		workers.Wait()
		most := 0
		for first, last := 0, 0; last < len(at); last++ {
			for at[last].Sub(at[first]) > time.Minute {
				first++
			}
			most = max(most, last-first+1)
		}
		assert.LessOrEqual(t, most, 600)
		assert.Greater(t, most, 550, "the limit is there to be used")
	})
}

func TestOtherLimiters(t *testing.T) {
	empty := errors.New("the shared store is away")
	for name, limiter := range map[string]whop.Limiter{
		"failing":      limiterFunc(func(context.Context) error { return empty }),
		"rate.Limiter": rate.NewLimiter(rate.Every(time.Hour), 0),
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, "https://whop.test", whop.WithLimiter(limiter), inMemory(func(*http.Request) (*http.Response, error) {
				t.Error("a request went out")
				return nil, io.EOF
			}))
			failure := sendError(t, client, paid)
			assert.Equal(t, whop.NotSent, failure.Outcome)
			assert.Zero(t, failure.Attempts)
			assert.ErrorContains(t, failure, "rate limiter")
			assert.True(t, failure.Retryable())
			if name == "failing" {
				assert.ErrorIs(t, failure, empty)
			}
		})
	}

	t.Run("asked_per_attempt", func(t *testing.T) {
		var asked int
		client := newClient(t, "https://whop.test", whop.WithLimiter(limiterFunc(func(context.Context) error {
			asked++
			return nil
		})), inMemory(inTurn(with(503, ""), with(503, ""))))
		_, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		assert.Equal(t, 3, asked)
	})

	t.Run("context_ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			client := newClient(t, "https://whop.test", whop.WithLimiter(limiterFunc(func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("gave up")
			})))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			_, err := client.Send(ctx, paid)
			assert.ErrorIs(t, err, context.Canceled)
		})
	})
}

type limiterFunc func(context.Context) error

func (f limiterFunc) Wait(ctx context.Context) error { return f(ctx) }

// A 429 is one refusal, not one for every worker.
func TestHoldAfter429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var requests atomic.Int32
		client := newClient(t, "https://whop.test", defaults, inMemory(func(*http.Request) (*http.Response, error) {
			if requests.Add(1) == 1 {
				return response(429, "", "Retry-After", "20"), nil
			}
			assert.GreaterOrEqual(t, time.Since(start), 20*time.Second)
			return response(200, queuedBody), nil
		}))
		var workers sync.WaitGroup
		workers.Go(func() {
			receipt, err := client.Send(t.Context(), paid)
			if assert.NoError(t, err) {
				assert.Equal(t, 2, receipt.Attempts)
			}
		})
		synctest.Wait()
		for range 50 {
			workers.Go(func() {
				receipt, err := client.Send(t.Context(), paid)
				if assert.NoError(t, err) {
					assert.Equal(t, 1, receipt.Attempts)
				}
			})
		}

		// One whose deadline comes first does not wait for it.
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := client.Send(ctx, paid)
		assert.Zero(t, time.Since(start))
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		assert.Equal(t, whop.NotSent, failure.Outcome)
		assert.Zero(t, failure.Attempts)
		assert.ErrorIs(t, err, whop.ErrRateLimited)
		assert.GreaterOrEqual(t, failure.RetryAfter, 20*time.Second)
		assert.True(t, failure.Retryable())

		// Nor does one whose context ends meanwhile.
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = client.Send(ctx, paid)
		assert.Equal(t, time.Second, time.Since(start))
		assert.ErrorIs(t, err, context.Canceled)

		workers.Wait()
		assert.EqualValues(t, 52, requests.Load())
	})
}

// A hold that begins during the limiter's wait counts.
func TestHoldAfterLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refusedAt time.Time
		var client *whop.Client
		limiter := limiterFunc(func(ctx context.Context) error {
			time.Sleep(time.Second) // the 429 comes while others are in here
			return ctx.Err()
		})
		var requests atomic.Int32
		client = newClient(t, "https://whop.test", defaults, whop.WithLimiter(limiter), inMemory(func(*http.Request) (*http.Response, error) {
			if requests.Add(1) == 1 {
				refusedAt = time.Now()
				return response(429, "", "Retry-After", "5"), nil
			}
			assert.GreaterOrEqual(t, time.Since(refusedAt), 5*time.Second)
			return response(200, queuedBody), nil
		}))
		var workers sync.WaitGroup
		for i := range 4 {
			workers.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				_, err := client.Send(t.Context(), paid)
				assert.NoError(t, err)
			})
		}
		workers.Wait()
	})
}

// A long hold fails the other sends at once.
func TestLongHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", defaults, inMemory(inTurn(with(429, "", "Retry-After", "600"))))
		sendError(t, client, paid)
		start := time.Now()
		failure := sendError(t, client, paid)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, whop.NotSent, failure.Outcome)
		assert.ErrorIs(t, failure, whop.ErrRateLimited)
		assert.Equal(t, 5*time.Minute, failure.RetryAfter)
		assert.ErrorContains(t, failure, "an earlier 429 holds back this client")

		time.Sleep(failure.RetryAfter)
		_, err := client.Send(t.Context(), paid)
		assert.NoError(t, err)
	})
}

// The longest wait that is accepted is waited for, by those held back as well; and so
// is the back-off after a 429 that asks for nothing.
func TestHoldOfAcceptedWait(t *testing.T) {
	for _, test := range []struct {
		policy whop.RetryPolicy
		asked  []string
	}{
		{asked: []string{"Retry-After", "60"}},
		{policy: whop.RetryPolicy{MaxRetryAfter: time.Millisecond}},
	} {
		for range 20 {
			synctest.Test(t, func(t *testing.T) {
				client := newClient(t, "https://whop.test", whop.WithRetryPolicy(test.policy), inMemory(inTurn(with(429, "", test.asked...))))
				var workers sync.WaitGroup
				for range 3 {
					workers.Go(func() {
						_, err := client.Send(t.Context(), paid)
						assert.NoError(t, err)
					})
					synctest.Wait()
				}
				workers.Wait()
			})
		}
	}
}
