package wrapper_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func companyBody(t *testing.T) gen.CreateNotificationJSONRequestBody {
	t.Helper()
	var body gen.CreateNotificationJSONRequestBody
	require.NoError(t, body.FromCreateNotificationJSONBody0(gen.CompanyNotification{CompanyID: "biz_1", Title: "T", Content: "C"}))
	return body
}

func TestAPISendsLikeSend(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", ""), whoptest.Error(429, "", ""))
	client := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()))

	resp, err := client.API().CreateNotification(t.Context(), companyBody(t))
	require.NoError(t, err)
	parsed, err := gen.ParseCreateNotificationResponse(resp)
	require.NoError(t, err)
	assert.Equal(t, 200, parsed.StatusCode())
	require.NotNil(t, parsed.JSON200)
	assert.True(t, parsed.JSON200.Success)
	assert.NotContains(t, resp.Request.Header, "Authorization", "the response does not hold the key")

	requests := server.Requests()
	require.Len(t, requests, 3)
	for _, r := range requests {
		assert.JSONEq(t, `{"company_id":"biz_1","title":"T","content":"C"}`, string(r.Body))
		assert.Equal(t, requests[0].Header, r.Header)
		assert.NotEmpty(t, r.IdempotencyKey)
		assert.Equal(t, "2026-07-20", r.Header.Get("Api-Version-Date"))
	}
	assert.Len(t, server.Queued(), 1)
}

// API returns the last response, whatever its status.
func TestAPILastResponse(t *testing.T) {
	for _, status := range []int{202, 302, 400, 404, 503} {
		client := newClient(t, "https://whop.test", inMemory(func(*http.Request) (*http.Response, error) {
			return response(status, "the body", "X-Odd", "1"), nil
		}))
		resp, err := client.API().CreateNotification(t.Context(), companyBody(t))
		require.NoError(t, err)
		assert.Equal(t, status, resp.StatusCode)
		assert.Equal(t, "1", resp.Header.Get("X-Odd"))
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Equal(t, "the body", string(body))
		require.NoError(t, resp.Body.Close())
	}

	t.Run("body_cut", func(t *testing.T) {
		server := whoptest.NewServer(t)
		server.Script(whoptest.Truncate())
		client := newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()))
		resp, err := client.API().CreateNotification(t.Context(), companyBody(t))
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.NotEmpty(t, body)
	})
}

// Without a response API's error is a SendError.
func TestAPINoResponse(t *testing.T) {
	client := newClient(t, "http://"+closedAddress(t))
	_, err := client.API().CreateNotification(t.Context(), companyBody(t))
	failure, ok := errors.AsType[*whop.SendError](err)
	require.True(t, ok, "%T", err)
	assert.Equal(t, whop.NotSent, failure.Outcome)
	assert.Equal(t, 3, failure.Attempts)

	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	_, err = client.API().CreateNotification(ctx, companyBody(t))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// What request editors set is kept.
func TestAPIRequestEditors(t *testing.T) {
	var got http.Header
	var key string
	client := newClient(t, "https://whop.test", inMemory(func(r *http.Request) (*http.Response, error) {
		got, key = r.Header, sentKey(r)
		return response(200, queuedBody), nil
	}))
	edit := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Idempotency-Key", "order-7")
		r.Header.Set("Api-Version-Date", "2025-01-01")
		r.Header.Set("Authorization", "Bearer of-a-user")
		return nil
	}
	_, err := client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader("{}"), edit)
	require.NoError(t, err)
	assert.Equal(t, "order-7", key)
	assert.NotContains(t, got, "Idempotency-Key", "under this name net/http would send again by itself")
	assert.Equal(t, "2025-01-01", got.Get("Api-Version-Date"))
	assert.Equal(t, "Bearer of-a-user", got.Get("Authorization"))

	bad := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Idempotency-Key", strings.Repeat("k", 256))
		return nil
	}
	_, err = client.API().CreateNotification(t.Context(), companyBody(t), bad)
	assert.ErrorIs(t, err, whop.ErrInvalidNotification)
}
