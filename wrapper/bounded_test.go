package wrapper_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Send returns when its context ends, whatever the caller's own functions do.
func TestSendReturnsWhenItsContextEnds(t *testing.T) {
	for _, test := range []struct {
		name     string
		opts     func(block func()) []whop.Option
		outcome  whop.Outcome
		attempts int
	}{
		{"token source", func(block func()) []whop.Option {
			return []whop.Option{whop.WithTokenSource(func(context.Context) (string, error) { block(); return testKey, nil })}
		}, whop.NotSent, 1},
		{"limiter", func(block func()) []whop.Option {
			return []whop.Option{whop.WithLimiter(limiterFunc(func(context.Context) error { block(); return nil }))}
		}, whop.NotSent, 0},
		{"observer", func(block func()) []whop.Option {
			return []whop.Option{whop.WithObserver(func(context.Context, whop.Attempt) { block() })}
		}, whop.Unknown, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				client := newClient(t, "https://whop.test", append(test.opts(func() { <-release }),
					inMemory(func(*http.Request) (*http.Response, error) { return response(503, ""), nil }))...)
				ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
				defer cancel()
				start := time.Now()
				_, err := client.Send(ctx, paid)
				assert.Equal(t, 7*time.Second, time.Since(start))
				failure, ok := errors.AsType[*whop.SendError](err)
				require.True(t, ok, "%v", err)
				assert.Equal(t, test.outcome, failure.Outcome, "%v", failure)
				assert.Equal(t, test.attempts, failure.Attempts)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				close(release) // or the bubble does not end: the function stays until it returns
			})
		})
	}
}

// A token source that takes no context does not outlast the attempt either.
func TestTokenSourceIsBoundByTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		client := newClient(t, "https://whop.test", whop.WithAttemptTimeout(3*time.Second),
			whop.WithTokenSource(func(context.Context) (string, error) { <-release; return testKey, nil }))
		start := time.Now()
		failure := sendError(t, client, paid)
		assert.Equal(t, 3*time.Second, time.Since(start))
		assert.Equal(t, whop.NotSent, failure.Outcome)
		close(release)
	})
}

// An observer sees each attempt of a send in order, one at a time, however slow it is, and the
// last also where the context has ended.
func TestSlowObserverSeesAttemptsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var numbers []int
		client := newClient(t, "https://whop.test", whop.WithObserver(func(_ context.Context, a whop.Attempt) {
			time.Sleep(time.Minute)
			numbers = append(numbers, a.Number)
		}), inMemory(func(*http.Request) (*http.Response, error) { return response(503, ""), nil }))
		sendError(t, client, paid)
		assert.Equal(t, []int{1, 2, 3}, numbers)
	})

	var last whop.Attempt
	ctx, cancel := context.WithCancel(t.Context())
	client := newClient(t, "https://whop.test", whop.WithObserver(func(_ context.Context, a whop.Attempt) { last = a }),
		inMemory(func(*http.Request) (*http.Response, error) { cancel(); return nil, io.ErrUnexpectedEOF }))
	_, err := client.Send(ctx, paid)
	assert.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, 1, last.Number)
}

// A panic in a function of the caller's surfaces in the goroutine that called Send.
func TestPanicOfTheCallersFunctions(t *testing.T) {
	answer := inMemory(inTurn())
	for name, opt := range map[string]whop.Option{
		"token source": whop.WithTokenSource(func(context.Context) (string, error) { panic("mine") }),
		"limiter":      whop.WithLimiter(limiterFunc(func(context.Context) error { panic("mine") })),
		"observer":     whop.WithObserver(func(context.Context, whop.Attempt) { panic("mine") }),
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, "https://whop.test", answer, opt)
			assert.PanicsWithValue(t, "mine", func() { _, _ = client.Send(t.Context(), paid) })
		})
	}
}

// What would panic is an error that says why.
func TestMisuseIsAnError(t *testing.T) {
	good := newClient(t, "https://whop.test", inMemory(inTurn()))
	var noContext context.Context
	request, err := http.NewRequest(http.MethodPost, "https://whop.test/notifications", http.NoBody)
	require.NoError(t, err)
	for _, test := range []struct {
		name string
		send func() error
		says string
	}{
		{"zero client", func() error { _, err := new(whop.Client).Send(t.Context(), paid); return err }, "was not made by NewClient"},
		{"nil client", func() error { _, err := (*whop.Client)(nil).Send(t.Context(), paid); return err }, "was not made by NewClient"},
		{"nil context", func() error { _, err := good.Send(noContext, paid); return err }, "the context is nil"},
		{"Do of a zero client", func() error { return ignoringResponse(new(whop.Client).Do(request)) }, "was not made by NewClient"},
		{"Do of nothing", func() error { return ignoringResponse(good.Do(nil)) }, "the request is nil"},
		{"API of a zero client", func() error {
			return ignoringResponse(new(whop.Client).API().CreateNotificationWithBody(t.Context(), "application/json", nil))
		}, "was not made by NewClient"},
		{"SendAll of a zero client", func() error { return first(new(whop.Client).SendAll(t.Context(), repeat(paid, 1), 1)).Err }, "was not made by NewClient"},
		{"SendAll of no context", func() error { return first(good.SendAll(noContext, repeat(paid, 1), 1)).Err }, "the context is nil"},
		{"SendAll of no sequence", func() error { return first(good.SendAll(t.Context(), nil, 1)).Err }, "the sequence of SendAll is nil"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.send()
			assert.ErrorContains(t, err, test.says)
			failure, ok := errors.AsType[*whop.SendError](err)
			require.True(t, ok)
			assert.Equal(t, whop.NotSent, failure.Outcome)
			assert.False(t, failure.Retryable())
		})
	}
	_, err = whop.NewClient(whop.WithAPIKey(testKey), nil)
	assert.EqualError(t, err, "whop: NewClient: option 2 of 2 is nil")
	for _, client := range []*whop.Client{nil, {}} {
		_ = client.String()
		_ = client.LogValue()
		_ = client.RetryPolicy()
		client.CloseIdleConnections()
		assert.Error(t, ignoringResponse(client.API().CreateNotificationWithBody(t.Context(), "application/json", nil)))
	}
}

func TestNilOptionsAreErrors(t *testing.T) {
	var transport *http.Transport
	var function roundTripper
	var jar *cookiejar.Jar
	var limiter limiterFunc
	for name, test := range map[string]struct {
		opt    whop.Option
		option string
	}{
		"transport":          {whop.WithHTTPClient(&http.Client{Transport: transport}), "WithHTTPClient"},
		"function transport": {whop.WithHTTPClient(&http.Client{Transport: function}), "WithHTTPClient"},
		"jar":                {whop.WithHTTPClient(&http.Client{Jar: jar}), "WithHTTPClient"},
		"limiter":            {whop.WithLimiter(limiter), "WithLimiter"},
		"client":             {whop.WithHTTPClient(nil), "WithHTTPClient"},
		"token source":       {whop.WithTokenSource(nil), "WithTokenSource"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := whop.NewClient(whop.WithAPIKey(testKey), test.opt)
			wrong, ok := errors.AsType[*whop.OptionError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, test.option, wrong.Option)
		})
	}
}

func ignoringResponse(resp *http.Response, err error) error {
	if resp != nil {
		resp.Body.Close()
	}
	return err
}
