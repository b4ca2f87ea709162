package wrapper_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestHeaders(t *testing.T) {
	server := whoptest.NewServer(t)
	client := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()), whop.WithUserAgent("shop/1.2"))
	receipt, err := client.Send(t.Context(), paid)
	require.NoError(t, err)

	requests := server.Requests()
	require.Len(t, requests, 1)
	h := requests[0].Header
	assert.Equal(t, []string{"Bearer " + server.APIKey()}, h["Authorization"])
	assert.Equal(t, []string{"application/json"}, h["Content-Type"])
	assert.Equal(t, []string{"application/json"}, h["Accept"])
	assert.Equal(t, []string{"2026-07-20"}, h["Api-Version-Date"])
	assert.Equal(t, []string{receipt.IdempotencyKey}, h["Idempotency-Key"])
	assert.Equal(t, []string{"shop/1.2 whopnotify/devel (" + runtime.Version() + ")"}, h["User-Agent"])
	_, err = uuid.Parse(receipt.IdempotencyKey)
	assert.NoError(t, err)
}

// Every attempt is the same request.
func TestAttemptsIdentical(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", ""), whoptest.Reset().AfterQueueing())
	client := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()))
	receipt, err := client.Send(t.Context(), paid)
	require.NoError(t, err)
	assert.Equal(t, 3, receipt.Attempts)
	assert.True(t, receipt.Replayed)

	requests := server.Requests()
	require.Len(t, requests, 3)
	for _, r := range requests {
		assert.Equal(t, requests[0].Body, r.Body)
		assert.Equal(t, requests[0].Header, r.Header)
	}
	assert.Len(t, server.Queued(), 1)
}

// Keys are random, or the caller's.
func TestIdempotencyKeys(t *testing.T) {
	client := newClient(t, "https://whop.test", inMemory(inTurn()))
	keys := map[string]bool{}
	for range 100 {
		receipt, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		keys[receipt.IdempotencyKey] = true
	}
	assert.Len(t, keys, 100)

	own := paid.WithIdempotencyKey("order-7")
	receipt, err := client.Send(t.Context(), own)
	require.NoError(t, err)
	assert.Equal(t, "order-7", receipt.IdempotencyKey)
	assert.Equal(t, "order-7", own.IdempotencyKey())
	assert.Empty(t, paid.IdempotencyKey())
}

// A refusal that is replayed would be replayed for ever: only another key gets past it,
// and only where that cannot make two notifications of one.
func TestReplayedRefusal(t *testing.T) {
	replayed := whoptest.Error(429, "", "slow down").WithHeader("Idempotent-Replayed", "true")
	keysOf := func(server *whoptest.Server) (keys []string) {
		for _, r := range server.Requests() {
			keys = append(keys, r.IdempotencyKey)
		}
		return keys
	}

	t.Run("random_key_replaced", func(t *testing.T) {
		server := whoptest.NewServer(t)
		server.Script(replayed)
		receipt, err := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey())).Send(t.Context(), paid)
		require.NoError(t, err)
		keys := keysOf(server)
		require.Len(t, keys, 2)
		assert.NotEqual(t, keys[0], keys[1])
		assert.Equal(t, keys[1], receipt.IdempotencyKey)
	})
	t.Run("callers_key_kept", func(t *testing.T) {
		server := whoptest.NewServer(t)
		server.Script(replayed)
		failure := sendError(t, newClient(t, server.URL(), whop.WithAPIKey(server.APIKey())), paid.WithIdempotencyKey("order-7"))
		assert.Equal(t, []string{"order-7"}, keysOf(server))
		assert.Equal(t, whop.Rejected, failure.Outcome)
		assert.ErrorIs(t, failure, whop.ErrRateLimited)
	})
	t.Run("random_key_kept_after_doubt", func(t *testing.T) {
		server := whoptest.NewServer(t)
		server.Script(whoptest.Error(503, "", "").AfterQueueing(), replayed)
		failure := sendError(t, newClient(t, server.URL(), whop.WithAPIKey(server.APIKey())), paid)
		keys := keysOf(server)
		require.Len(t, keys, 2)
		assert.Equal(t, keys[0], keys[1])
		assert.Equal(t, whop.Unknown, failure.Outcome)
		assert.Equal(t, keys[0], failure.IdempotencyKey)
		assert.Len(t, server.Queued(), 1)
	})
}

func TestOutcomeOfAllAttempts(t *testing.T) {
	lost := func() (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
	notSent := func() (*http.Response, error) { return nil, dialError }
	for _, test := range []struct {
		name    string
		answers []func() (*http.Response, error)
		want    whop.Outcome
		matches error
	}{
		{name: "lost_then_401", answers: []func() (*http.Response, error){lost, with(401, "")}, want: whop.Unknown, matches: whop.ErrUnauthorized},
		{name: "500_then_not_sent", answers: []func() (*http.Response, error){with(500, ""), notSent, notSent}, want: whop.Unknown, matches: dialError},
		{name: "not_sent_then_401", answers: []func() (*http.Response, error){notSent, with(401, "")}, want: whop.Rejected, matches: whop.ErrUnauthorized},
		{name: "429_then_not_sent", answers: []func() (*http.Response, error){with(429, ""), notSent, notSent}, want: whop.Rejected, matches: dialError},
		{name: "never_sent", answers: []func() (*http.Response, error){notSent, notSent, notSent}, want: whop.NotSent, matches: dialError},
		{name: "lost_then_success_false", answers: []func() (*http.Response, error){lost, with(200, `{"success":false}`)}, want: whop.Unknown, matches: whop.ErrNotQueued},
	} {
		t.Run(test.name, func(t *testing.T) {
			failure := sendError(t, newClient(t, "https://whop.test", inMemory(inTurn(test.answers...))), paid)
			assert.Equal(t, test.want, failure.Outcome)
			assert.ErrorIs(t, failure, test.matches)
			assert.Equal(t, len(test.answers), failure.Attempts)
		})
	}
}

func TestTokenPerAttempt(t *testing.T) {
	type user struct{}
	var mu sync.Mutex
	var asked int
	var sent []string
	client := newClient(t, "https://whop.test",
		whop.WithTokenSource(func(ctx context.Context) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			asked++
			return ctx.Value(user{}).(string) + strings.Repeat("+", asked), nil
		}),
		inMemory(func(r *http.Request) (*http.Response, error) {
			sent = append(sent, r.Header.Get("Authorization"))
			if len(sent) == 1 {
				return response(503, ""), nil
			}
			return response(200, queuedBody), nil
		}))
	_, err := client.Send(context.WithValue(t.Context(), user{}, "token-of-user-1"), paid)
	require.NoError(t, err)
	assert.Equal(t, []string{"Bearer token-of-user-1+", "Bearer token-of-user-1++"}, sent)
}

// A token source that is stuck ends with the attempt.
func TestStuckTokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := newClient(t, "https://whop.test", whop.WithTokenSource(func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}))
		failure := sendError(t, client, paid)
		assert.Equal(t, whop.NotSent, failure.Outcome)
		assert.ErrorContains(t, failure, "token source")
		assert.ErrorIs(t, failure, context.DeadlineExceeded)
	})
}

var dialError = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
