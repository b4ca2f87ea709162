package wrapper_test

import (
	"context"
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

// One absurd header does not disable a client for years: the others are held for five
// minutes, then one goes out as a probe and the rest wait for its answer.
func TestAbsurdWaitHoldsForMinutes(t *testing.T) {
	const absurd = "99999999999"
	for _, test := range []struct {
		name     string
		probe    func() (*http.Response, error)
		requests int // while the probe is out and after it
	}{
		{"probe queued", with(200, queuedBody), 21},
		{"probe refused", with(401, ""), 21},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests, inFlight atomic.Int32
				client := newClient(t, "https://whop.test", defaults, inMemory(func(*http.Request) (*http.Response, error) {
					switch requests.Add(1) {
					case 1:
						return response(429, "", "Retry-After", absurd), nil
					case 2:
						assert.EqualValues(t, 1, inFlight.Add(1))
						time.Sleep(10 * time.Second)
						inFlight.Add(-1)
						return test.probe()
					}
					assert.Zero(t, inFlight.Load(), "the others wait for the probe")
					time.Sleep(time.Second)
					return response(200, queuedBody), nil
				}))
				failure := sendError(t, client, paid)
				assert.Greater(t, failure.RetryAfter, 24*time.Hour, "the send itself is told what was asked for")

				held := sendError(t, client, paid)
				assert.Equal(t, whop.NotSent, held.Outcome)
				assert.ErrorIs(t, held, whop.ErrRateLimited)
				assert.Equal(t, 5*time.Minute, held.RetryAfter)

				time.Sleep(5 * time.Minute)
				var workers sync.WaitGroup
				probing := time.Now()
				for range 20 {
					workers.Go(func() { _, _ = client.Send(t.Context(), paid) })
				}
				workers.Wait()
				assert.Equal(t, 11*time.Second, time.Since(probing), "then all at once")
				assert.EqualValues(t, test.requests, requests.Load())
			})
		})
	}
}

// Who accepts longer waits is held for as long as that.
func TestAbsurdWaitHoldsForWhatThePolicyAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxRetryAfter: 20 * time.Minute}),
			inMemory(inTurn(with(429, "", "Retry-After", "99999999999"))))
		sendError(t, client, paid)
		start := time.Now()
		_, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		assert.Equal(t, 20*time.Minute, time.Since(start))
	})
}

func TestProbeThatIsRefusedHoldsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		absurd := with(429, "", "Retry-After", "99999999999")
		client := newClient(t, "https://whop.test", inMemory(inTurn(absurd, absurd)))
		for range 2 {
			sendError(t, client, paid)
			assert.Equal(t, 5*time.Minute, sendError(t, client, paid).RetryAfter)
			time.Sleep(5 * time.Minute)
		}
		_, err := client.Send(t.Context(), paid)
		assert.NoError(t, err)
	})
}

// A probe without an answer shows nothing: the next one is a probe too.
func TestProbeThatFailsLeavesItToTheNext(t *testing.T) {
	for _, test := range []struct {
		name  string
		probe func(cancel func()) (*http.Response, error)
	}{
		{"no answer", func(func()) (*http.Response, error) { return nil, context.DeadlineExceeded }},
		{"context ended", func(cancel func()) (*http.Response, error) { cancel(); return nil, context.Canceled }},
		{"panic", func(func()) (*http.Response, error) { panic("the transport's") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}), inMemory(inTurn(
					with(429, "", "Retry-After", "99999999999"),
					func() (*http.Response, error) { return test.probe(cancel) },
				)))
				sendError(t, client, paid)
				time.Sleep(5 * time.Minute)
				func() {
					defer func() { _ = recover() }()
					_, err := client.Send(ctx, paid)
					assert.Error(t, err)
				}()
				_, err := client.Send(t.Context(), paid)
				assert.NoError(t, err)
			})
		})
	}
}

// Who waits for a probe does so no longer than the context allows, and a probe that the
// limiter stops lets the next one go.
func TestWaitingForAProbeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", inMemory(inTurn(
			with(429, "", "Retry-After", "99999999999"),
			func() (*http.Response, error) { time.Sleep(20 * time.Second); return response(200, queuedBody), nil },
		)))
		sendError(t, client, paid)
		time.Sleep(5 * time.Minute)
		go func() { _, _ = client.Send(t.Context(), paid) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.Send(ctx, paid)
		assert.Equal(t, 3*time.Second, time.Since(start))
		assert.ErrorIs(t, err, whop.ErrRateLimited)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		time.Sleep(time.Minute) // the probe ends
	})

	synctest.Test(t, func(t *testing.T) {
		closed, panics := true, false
		client := newClient(t, "https://whop.test", inMemory(inTurn(with(429, "", "Retry-After", "99999999999"))),
			whop.WithLimiter(limiterFunc(func(context.Context) error {
				if panics {
					panic("the limiter's")
				}
				if closed {
					return nil
				}
				return http.ErrAbortHandler
			})))
		sendError(t, client, paid)
		time.Sleep(5 * time.Minute)
		closed = false
		assert.ErrorIs(t, sendError(t, client, paid), http.ErrAbortHandler)
		panics = true
		assert.Panics(t, func() { _, _ = client.Send(t.Context(), paid) })
		closed, panics = true, false
		_, err := client.Send(t.Context(), paid)
		assert.NoError(t, err)
	})
}

// A short hold that comes while a longer one is on does not shorten it, and a 429 that asks
// for nothing holds the others for the back-off.
func TestHoldsOfSeveralAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		release := make(chan struct{})
		var requests atomic.Int32
		client := newClient(t, "https://whop.test", defaults, inMemory(func(*http.Request) (*http.Response, error) {
			switch requests.Add(1) {
			case 1:
				<-release
				return response(429, "", "Retry-After", "1"), nil
			case 2:
				return response(429, "", "Retry-After", "30"), nil
			}
			assert.GreaterOrEqual(t, time.Since(start), 30*time.Second)
			return response(200, queuedBody), nil
		}))
		var workers sync.WaitGroup
		for range 2 {
			workers.Go(func() {
				_, err := client.Send(t.Context(), paid)
				assert.NoError(t, err)
			})
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		_, err := client.Send(t.Context(), paid)
		assert.NoError(t, err)
		workers.Wait()
	})

	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var requests atomic.Int32
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: 4 * time.Second}), inMemory(func(*http.Request) (*http.Response, error) {
			if requests.Add(1) == 1 {
				return response(429, ""), nil
			}
			assert.GreaterOrEqual(t, time.Since(start), 3*time.Second)
			return response(200, queuedBody), nil
		}))
		go func() { _, _ = client.Send(t.Context(), paid) }()
		synctest.Wait()
		_, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		time.Sleep(time.Second)
	})
}

// A date is measured by the clock of the server that wrote it.
func TestWaitUntilADateByTheServersClock(t *testing.T) {
	for _, test := range []struct {
		name    string
		skew    time.Duration
		hasDate bool
		least   time.Duration
		most    time.Duration
	}{
		{"server ahead", 10 * time.Minute, true, 2 * time.Second, 3 * time.Second},
		{"server behind", -10 * time.Minute, true, 2 * time.Second, 3 * time.Second},
		{"no date", 0, false, time.Second, 3 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				client := newClient(t, "https://whop.test", defaults, inMemory(inTurn(func() (*http.Response, error) {
					now := time.Now().Add(test.skew).UTC()
					headers := []string{"Retry-After", now.Add(2 * time.Second).Format(http.TimeFormat)}
					if test.hasDate {
						headers = append(headers, "Date", now.Format(http.TimeFormat))
					}
					return response(429, "", headers...), nil
				})))
				_, err := client.Send(t.Context(), paid)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, time.Since(start), test.least)
				assert.LessOrEqual(t, time.Since(start), test.most)
			})
		})
	}
}
