package wrapper_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen/current"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Do is what any generated client needs; it brings the client's key, version, key of
// idempotency and retries.
func TestDoGeneratedClient(t *testing.T) {
	var keys, versions, bodies []string
	client := newClient(t, "https://whop.test/api/v1", whop.WithAPIVersion(whop.CurrentAPIVersion), inMemory(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		keys, versions, bodies = append(keys, sentKey(r)), append(versions, r.Header.Get("Api-Version-Date")), append(bodies, string(body))
		assert.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
		if len(keys) == 1 {
			return response(503, ""), err
		}
		return response(202, queuedBody, "Content-Type", "application/json"), err
	}))
	assert.Equal(t, "https://whop.test/api/v1/", client.BaseURL())
	api, err := current.NewClientWithResponses(client.BaseURL(), current.WithHTTPClient(client))
	require.NoError(t, err)
	got, err := api.SendNotificationWithResponse(t.Context(), &current.SendNotificationParams{}, current.Notification{AccountID: new("biz_1"), Title: "T", Content: "C"})
	require.NoError(t, err)
	assert.Equal(t, 202, got.StatusCode())
	require.NotNil(t, got.JSON202)
	require.Len(t, keys, 2)
	assert.Equal(t, keys[0], keys[1])
	assert.NotEmpty(t, keys[0])
	assert.Equal(t, []string{whop.CurrentAPIVersion, whop.CurrentAPIVersion}, versions)
	assert.JSONEq(t, `{"account_id":"biz_1","title":"T","content":"C"}`, bodies[1])

	// What the request says itself overrides the client.
	_, err = api.SendNotification(t.Context(), &current.SendNotificationParams{
		APIVersionDate: new("2026-09-29"), IdempotencyKey: new("order-7"),
	}, current.Notification{AccountID: new("biz_1"), Title: "T", Content: "C"})
	require.NoError(t, err)
	assert.Equal(t, "2026-09-29", versions[2])
	assert.Equal(t, "order-7", keys[2])
}

func TestDoOtherURLs(t *testing.T) {
	for _, test := range []struct {
		url     string
		refused bool
	}{
		{url: "https://whop.test/api/v1/notifications"},
		{url: "https://WHOP.test:443/other"},
		{url: "http://whop.test/api/v1/notifications", refused: true},
		{url: "https://whop.test:8443/api/v1/notifications", refused: true},
		{url: "https://other.test/api/v1/notifications", refused: true},
		{url: "https://whop.test.other.test/api/v1/notifications", refused: true},
		{url: "/notifications", refused: true},
		{url: "https://other.test@whop.test/notifications"},
		{url: "https://whop.test@other.test/notifications", refused: true},
	} {
		requests := 0
		client := newClient(t, "https://whop.test/api/v1", inMemory(func(*http.Request) (*http.Response, error) {
			requests++
			return response(200, queuedBody), nil
		}))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, test.url, strings.NewReader(toCompanyBody))
		require.NoError(t, err)
		resp, err := client.Do(request)
		if !test.refused {
			require.NoError(t, err, test.url)
			resp.Body.Close()
			assert.Equal(t, 1, requests, test.url)
			continue
		}
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok, test.url)
		assert.Equal(t, whop.NotSent, failure.Outcome)
		assert.ErrorContains(t, err, "its key goes nowhere else")
		assert.Zero(t, requests, test.url)
	}
}

// Do refuses what would go elsewhere.
func TestDoOtherHosts(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"host header": func(r *http.Request) { r.Host = "other.test" },
		"opaque":      func(r *http.Request) { r.URL.Opaque = "//other.test/steal" },
	} {
		client := newClient(t, "https://whop.test/api/v1", inMemory(func(*http.Request) (*http.Response, error) {
			t.Error("a request went out")
			return nil, io.EOF
		}))
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://whop.test/api/v1/notifications", strings.NewReader(toCompanyBody))
		require.NoError(t, err)
		change(request)
		err = ignoringResponse(client.Do(request))
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok, name)
		assert.Equal(t, whop.NotSent, failure.Outcome)
		assert.False(t, failure.Retryable())
	}
}

// A request can be sent again, and never goes out without the body that it had.
func TestDoReusedRequest(t *testing.T) {
	var sent []*http.Request
	var bodies []string
	client := newClient(t, "https://whop.test", recording(&sent, &bodies))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://whop.test/notifications", strings.NewReader(toCompanyBody))
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, ignoringResponse(client.Do(request)))
	}
	assert.Equal(t, []string{toCompanyBody, toCompanyBody}, bodies)

	request.GetBody = nil
	require.NoError(t, ignoringResponse(client.Do(request)))
	err = ignoringResponse(client.Do(request))
	assert.ErrorContains(t, err, "was it sent before?")
	assert.Len(t, bodies, 3)
}

// Do returns when its context ends while the body blocks.
func TestDoBlockedBody(t *testing.T) {
	body, write := io.Pipe()
	t.Cleanup(func() { write.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://whop.test/notifications", body)
	require.NoError(t, err)
	err = ignoringResponse(newClient(t, "https://whop.test", inMemory(inTurn())).Do(request))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// Success of another operation is any 2xx: it gives back what its retries took.
func TestDoOtherOperation(t *testing.T) {
	var observed []whop.Attempt
	requests := 0
	client := newClient(t, "https://whop.test/api/v1",
		whop.WithObserver(func(_ context.Context, a whop.Attempt) { observed = append(observed, a) }),
		inMemory(func(*http.Request) (*http.Response, error) {
			if requests++; requests%2 == 1 {
				return response(503, ""), nil
			}
			return response(200, `{"id":"biz_1"}`), nil
		}))
	for range 300 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://whop.test/api/v1/companies/biz_1", http.NoBody)
		require.NoError(t, err)
		resp, err := client.Do(request)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode)
		resp.Body.Close()
	}
	assert.Len(t, observed, 600)
	assert.NoError(t, observed[len(observed)-1].Err)
}

// Errors name the method, and no password of the URL.
func TestDoErrorText(t *testing.T) {
	client := newClient(t, "http://"+closedAddress(t))
	url := strings.Replace(strings.TrimPrefix(client.String(), "whop client of "), "http://", "http://user:hunter2@", 1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"x", http.NoBody)
	require.NoError(t, err)
	err = ignoringResponse(client.Do(request))
	assert.ErrorContains(t, err, `Get "http://user:xxxxx@`)
	assert.NotContains(t, err.Error(), "hunter2")
}

// The token in a header of any spelling is the request's own.
func TestDoHeaderSpelling(t *testing.T) {
	var sent []*http.Request
	var bodies []string
	client := newClient(t, "https://whop.test", recording(&sent, &bodies))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://whop.test/notifications", strings.NewReader(toCompanyBody))
	require.NoError(t, err)
	request.Header["authorization"] = []string{"Bearer mine"}
	request.Header["idempotency-key"] = []string{"order-7"}
	require.NoError(t, ignoringResponse(client.Do(request)))
	assert.Equal(t, []string{"Bearer mine"}, sent[0].Header["Authorization"])
	assert.Equal(t, "order-7", sentKey(sent[0]))
	assert.NotContains(t, sent[0].Header, "authorization")
}

// A request without a method is a GET, as in net/http.
func TestDoWithoutAMethod(t *testing.T) {
	client := newClient(t, "https://whop.test/api/v1", inMemory(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("broken")
	}), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	err := ignoringResponse(client.Do(&http.Request{URL: &url.URL{Scheme: "https", Host: "whop.test", Path: "/api/v1/other"}}))
	assert.ErrorContains(t, err, `Get "https://whop.test/api/v1/other": broken`)
}

// net/http sends some requests again by itself, after it wrote them. Do keeps it from that, or
// knows of it.
func TestDoIsNotSentAgain(t *testing.T) {
	for _, test := range []struct{ name, method, header string }{
		{"Idempotency-Key", http.MethodPost, "Idempotency-Key"},
		{"X-Idempotency-Key", http.MethodPost, "X-Idempotency-Key"},
		{"GET", http.MethodGet, "X-Other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			var arrived atomic.Int32
			serveConns(t, listener, func(_ int, conn net.Conn) {
				in := bufio.NewReader(conn)
				for {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if arrived.Add(1) > 1 {
						listener.Close()
						return
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				}
			})
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			client := newClient(t, "http://"+listener.Addr().String(), whop.WithHTTPClient(&http.Client{Transport: transport}),
				whop.WithRetryPolicy(whop.RetryPolicy{AtMostOnce: true}))
			do := func() error {
				request, err := http.NewRequestWithContext(t.Context(), test.method, client.BaseURL()+"other", http.NoBody)
				require.NoError(t, err)
				request.Header.Set(test.header, "order-7")
				return ignoringResponse(client.Do(request))
			}
			require.NoError(t, do())
			failure, ok := errors.AsType[*whop.SendError](do())
			require.True(t, ok)
			assert.Equal(t, whop.Unknown, failure.Outcome, "%v", failure)
			assert.Equal(t, 1, failure.Attempts)
			assert.EqualValues(t, 2, arrived.Load())
		})
	}
}
