package wrapper_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// defaults is the policy of a client that is told nothing.
var defaults = whop.WithRetryPolicy(whop.RetryPolicy{})

// waits sends once, with everything refused alike, and returns the wait before each retry.
func waits(t *testing.T, opts []whop.Option, answer func() (*http.Response, error)) ([]time.Duration, *whop.SendError) {
	t.Helper()
	var at []time.Time
	client := newClient(t, "https://whop.test", append([]whop.Option{inMemory(func(*http.Request) (*http.Response, error) {
		at = append(at, time.Now())
		return answer()
	})}, opts...)...)
	start := time.Now()
	failure := sendError(t, client, paid)
	end := time.Now()
	require.NotEmpty(t, at)
	assert.Equal(t, start, at[0], "no wait before the first attempt")
	assert.Equal(t, at[len(at)-1], end, "no wait after the last attempt")
	var between []time.Duration
	for i := 1; i < len(at); i++ {
		between = append(between, at[i].Sub(at[i-1]))
	}
	return between, failure
}

// Delays double, less jitter.
func TestBackoff(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			policy := whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 8})
			got, failure := waits(t, []whop.Option{policy}, with(503, ""))
			require.Len(t, got, 7)
			for i, want := range []time.Duration{500, 1000, 2000, 4000, 8000, 8000, 8000} {
				want *= time.Millisecond
				assert.LessOrEqual(t, got[i], want, "wait %d", i+1)
				assert.GreaterOrEqual(t, got[i], want-want/4, "wait %d", i+1)
			}
			assert.Zero(t, failure.RetryAfter)
		})
	}
}

func TestBackoffOddPolicies(t *testing.T) {
	for _, test := range []struct {
		policy whop.RetryPolicy
		most   time.Duration // of any wait
		tries  int
	}{
		{policy: whop.RetryPolicy{}, most: time.Second, tries: 3},
		{policy: whop.RetryPolicy{MaxAttempts: 1}, tries: 1},
		{policy: whop.RetryPolicy{MaxAttempts: 40, MaxDelay: time.Millisecond}, most: time.Millisecond, tries: 40},
		{policy: whop.RetryPolicy{BaseDelay: time.Minute, MaxDelay: time.Second}, most: time.Second, tries: 3},
		{policy: whop.RetryPolicy{MaxAttempts: 70, BaseDelay: math.MaxInt64, MaxDelay: time.Hour}, most: time.Hour, tries: 70},
		{policy: whop.RetryPolicy{BaseDelay: 1, MaxDelay: 1}, most: 1, tries: 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			got, failure := waits(t, []whop.Option{whop.WithRetryPolicy(test.policy)}, with(503, ""))
			assert.Equal(t, test.tries, failure.Attempts)
			for _, d := range got {
				assert.Positive(t, d)
				assert.LessOrEqual(t, d, test.most)
			}
		})
	}
}

func TestServersWait(t *testing.T) {
	const none = 0 // the back-off serves
	message := func(s string) string { return `{"error":{"type":"rate_limited","message":"` + s + `"}}` }

	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			name    string
			status  int
			body    string
			headers []string
			want    time.Duration
		}{
			{name: "seconds", status: 503, headers: []string{"Retry-After", "7"}, want: 7 * time.Second},
			{name: "a fraction", status: 429, headers: []string{"Retry-After", "1.25"}, want: 1250 * time.Millisecond},
			{name: "spaces", status: 429, headers: []string{"Retry-After", " 2 "}, want: 2 * time.Second},
			{name: "milliseconds", status: 429, headers: []string{"Retry-After-Ms", "1500"}, want: 1500 * time.Millisecond},
			{name: "milliseconds first", status: 429, headers: []string{"Retry-After", "9", "Retry-After-Ms", "20"}, want: 20 * time.Millisecond},
			{name: "nonsense, then seconds", status: 429, headers: []string{"Retry-After", "9", "Retry-After-Ms", "soon"}, want: 9 * time.Second},
			{name: "a past date", status: 503, headers: []string{"Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}, want: none},
			{name: "negative", status: 503, headers: []string{"Retry-After", "-5"}, want: none},
			{name: "zero", status: 503, headers: []string{"Retry-After", "0"}, want: none},
			{name: "nonsense", status: 503, headers: []string{"Retry-After", "soon"}, want: none},
			{name: "not a number", status: 503, headers: []string{"Retry-After", "NaN"}, want: none},
			{name: "hexadecimal", status: 503, headers: []string{"Retry-After", "0x10"}, want: none},
			{name: "infinity", status: 503, headers: []string{"Retry-After", "inf"}, want: none},
			{name: "message", status: 429, body: message("Try again in 12 seconds."), want: 12 * time.Second},
			{name: "message, one second", status: 429, body: message("Retry in 1 second"), want: time.Second},
			{name: "message, a fraction", status: 429, body: message("wait 0.5 seconds"), want: 500 * time.Millisecond},
			{name: "message, minute", status: 429, body: message("Please wait 1 minute"), want: time.Minute},
			{name: "message, capitals", status: 429, body: message("WAIT 3 SECONDS"), want: 3 * time.Second},
			{name: "message and a rate", status: 429, body: message("Over 600 requests per 60 seconds, try again in 4 seconds"), want: 4 * time.Second},
			{name: "old envelope", status: 429, body: `{"message":"You are being rate limited, wait 6 seconds"}`, want: 6 * time.Second},
			{name: "no JSON", status: 429, body: `slow down: 2 seconds`, want: 2 * time.Second},
			{name: "header before message", status: 429, body: message("Try again in 12 seconds."), headers: []string{"Retry-After", "3"}, want: 3 * time.Second},
			{name: "message without a wait", status: 429, body: message("You are being rate limited"), want: none},
			{name: "message, negative", status: 429, body: message("wait -5 seconds"), want: none},
			{name: "message, zero", status: 429, body: message("wait 0 seconds"), want: none},
			{name: "message of another status", status: 503, body: message("Try again in 12 seconds."), want: none},
		} {
			got, failure := waits(t, []whop.Option{defaults}, with(test.status, test.body, test.headers...))
			require.NotEmpty(t, got, test.name)
			if test.want == none {
				assert.LessOrEqual(t, got[0], 500*time.Millisecond, test.name)
				assert.GreaterOrEqual(t, got[0], 375*time.Millisecond, test.name)
				assert.Zero(t, failure.RetryAfter, test.name)
				continue
			}
			assert.GreaterOrEqual(t, got[0], test.want, test.name)
			assert.LessOrEqual(t, got[0], test.want+test.want/10, test.name)
			assert.Equal(t, test.want, failure.RetryAfter, test.name)
		}
	})
}

func TestServersWaitDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		date := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
		got, _ := waits(t, []whop.Option{defaults}, with(503, "", "Retry-After", date))
		require.Len(t, got, 2)
		assert.GreaterOrEqual(t, got[0], 30*time.Second)
		assert.LessOrEqual(t, got[0], 33*time.Second)
		assert.LessOrEqual(t, got[1], time.Second, "by then the date is past")
	})
}

// A wait that is too long ends the send at once.
func TestServersWaitTooLong(t *testing.T) {
	message := func(s string) string { return `{"error":{"type":"rate_limited","message":"` + s + `"}}` }
	forever := time.Duration(math.MaxInt64)
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			name, body, header string
			want               time.Duration
		}{
			{name: "61 seconds", header: "61", want: 61 * time.Second},
			{name: "a day", header: "86400", want: 24 * time.Hour},
			{name: "more than a Duration holds", header: "99999999999999999999999999", want: forever},
			{name: "more than a float holds", header: "1" + string(make0s(400)), want: forever},
			{name: "2 minutes in the message", body: message("wait 2 minutes"), want: 2 * time.Minute},
			{name: "minutes and seconds", body: message("wait 1 minute and 30 seconds"), want: 90 * time.Second},
			{name: "too many minutes", body: message("wait 99999999999999999999 minutes"), want: forever},
			{name: "the last date there is", header: "Fri, 31 Dec 9999 23:59:59 GMT", want: forever},
		} {
			var headers []string
			if test.header != "" {
				headers = []string{"Retry-After", test.header}
			}
			got, failure := waits(t, []whop.Option{defaults}, with(429, test.body, headers...))
			assert.Empty(t, got, test.name)
			assert.Equal(t, 1, failure.Attempts, test.name)
			assert.Equal(t, whop.Rejected, failure.Outcome, test.name)
			assert.Equal(t, test.want, failure.RetryAfter, test.name)
			assert.ErrorIs(t, failure, whop.ErrRateLimited, test.name)
			assert.ErrorContains(t, failure, "MaxRetryAfter", test.name)
			assert.True(t, failure.Retryable(), test.name)
		}
	})
}

func make0s(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = '0'
	}
	return b
}

func TestMaxRetryAfterInclusive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, _ := waits(t, []whop.Option{defaults}, with(503, "", "Retry-After", "60"))
		require.Len(t, got, 2)
		got, _ = waits(t, []whop.Option{whop.WithRetryPolicy(whop.RetryPolicy{MaxRetryAfter: time.Second})}, with(503, "", "Retry-After", "1.001"))
		require.Empty(t, got)
	})
}

// Nobody sleeps into a certain failure.
func TestWaitBeyondDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", defaults, inMemory(func(*http.Request) (*http.Response, error) {
			return response(503, "", "Retry-After", "10"), nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.Send(ctx, paid)
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 10*time.Second, failure.RetryAfter)
		assert.ErrorIs(t, err, whop.ErrServer)
		assert.ErrorIs(t, err, context.DeadlineExceeded)

		// One that fits is waited for, jitter or not.
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
			start := time.Now()
			_, err := client.Send(ctx, paid)
			cancel()
			failure, ok := errors.AsType[*whop.SendError](err)
			require.True(t, ok)
			assert.Equal(t, 2, failure.Attempts)
			assert.GreaterOrEqual(t, time.Since(start), 10*time.Second)
		}
	})
}

func TestWaitContextEnds(t *testing.T) {
	reason := errors.New("shutting down")
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", defaults, inMemory(func(*http.Request) (*http.Response, error) {
			return response(503, ""), nil
		}))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(reason) })
		start := time.Now()
		_, err := client.Send(ctx, paid)
		assert.Equal(t, 100*time.Millisecond, time.Since(start))
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorIs(t, err, reason)
		assert.ErrorIs(t, err, whop.ErrServer)
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		assert.Equal(t, whop.Unknown, failure.Outcome)
		assert.Equal(t, 1, failure.Attempts)
	})
}

// A context that has ended sends nothing.
func TestEndedContext(t *testing.T) {
	client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
		t.Error("a request went out")
		return nil, io.EOF
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Send(ctx, paid)
	failure, ok := errors.AsType[*whop.SendError](err)
	require.True(t, ok)
	assert.Equal(t, whop.NotSent, failure.Outcome)
	assert.Zero(t, failure.Attempts)
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotEmpty(t, failure.IdempotencyKey)
}

func TestContextEndsDuringAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", defaults, inMemory(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		_, err := client.Send(ctx, paid)
		assert.Equal(t, 5*time.Second, time.Since(start))
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		assert.Equal(t, whop.Unknown, failure.Outcome)
		assert.Equal(t, 1, failure.Attempts)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotContains(t, err.Error(), "within the attempt's")
	})
}

// The observer sees each attempt and its wait.
func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var seen []whop.Attempt
		client := newClient(t, "https://whop.test", defaults,
			whop.WithObserver(func(_ context.Context, a whop.Attempt) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, a)
			}),
			inMemory(inTurn(with(503, ""), func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF })))
		receipt, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		require.Len(t, seen, 3)
		for i, a := range seen {
			assert.Equal(t, i+1, a.Number)
			assert.Equal(t, receipt.IdempotencyKey, a.IdempotencyKey)
		}
		assert.Equal(t, []int{503, 0, 200}, []int{seen[0].StatusCode, seen[1].StatusCode, seen[2].StatusCode})
		assert.ErrorIs(t, seen[0].Err, whop.ErrServer)
		assert.ErrorIs(t, seen[1].Err, io.ErrUnexpectedEOF)
		assert.NoError(t, seen[2].Err)
		assert.Positive(t, seen[0].RetryIn)
		assert.Positive(t, seen[1].RetryIn)
		assert.Zero(t, seen[2].RetryIn)
	})
}
