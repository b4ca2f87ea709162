package wrapper_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen/current"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

// recording returns a transport that keeps the requests, with their bodies, and queues.
func recording(sent *[]*http.Request, bodies *[]string) whop.Option {
	return inMemory(func(r *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(r.Body)
		*sent, *bodies = append(*sent, r), append(*bodies, string(body))
		return response(200, queuedBody), err
	})
}

// A date chooses header and body together.
func TestAPIVersion(t *testing.T) {
	const (
		vendored = `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`
		today    = `{"account_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`
	)
	for _, test := range []struct {
		date string
		body string
	}{
		{"", vendored},
		{"2025-01-01", vendored},
		{"2026-06-08", vendored},
		{"2026-07-08-1", vendored},
		{"2026-07-18", vendored},
		{whop.DefaultAPIVersion, vendored},
		{"2026-07-20-1", today},
		{"2026-07-20-12", today},
		{"2026-07-22", today},
		{"2026-09-02-1", today},
		{"2026-09-22-4", today},
		{whop.CurrentAPIVersion, today},
		{"2026-10-08", today},
		{"2031-01-01", today},
	} {
		for _, from := range []string{"option", "environment"} {
			t.Run(test.date+"_by_"+from, func(t *testing.T) {
				var sent []*http.Request
				var bodies []string
				opts := []whop.Option{recording(&sent, &bodies)}
				if from == "option" {
					opts = append(opts, whop.WithAPIVersion(test.date))
				} else if test.date != "" {
					t.Setenv("WHOP_API_VERSION", test.date)
				}
				client := newClient(t, "https://whop.test", opts...)
				_, err := client.Send(t.Context(), paid)
				require.NoError(t, err)
				assert.JSONEq(t, test.body, bodies[0])
				if test.date != "" || from == "option" {
					assert.Equal(t, test.date, sent[0].Header.Get("Api-Version-Date"))
				}
				_, err = client.Send(t.Context(), whop.ToExperience("exp_1", whop.Message{Title: "T", Content: "C"}).OnlyUsers("user_1"))
				require.NoError(t, err)
				assert.JSONEq(t, `{"experience_id":"exp_1","title":"T","content":"C","user_ids":["user_1"]}`, bodies[1])
			})
		}
	}
}

func TestInvalidAPIVersion(t *testing.T) {
	for _, date := range []string{
		"today", "2026", "2026-7-20", "20260720", "2026-07-20T00:00:00Z", "2026-02-30", "2026-13-01", "2026-07-20-", "2026-07-20-0",
		"2026-07-20-01", "2026-07-20-x", "2026-07-20--1", " 2026-07-20", "2026-07-20\n", "v2026-07-20", "2026-07-20-9999999999",
	} {
		_, err := whop.NewClient(whop.WithAPIKey(testKey), whop.WithAPIVersion(date))
		option, ok := errors.AsType[*whop.OptionError](err)
		require.True(t, ok, "%q: %v", date, err)
		assert.Equal(t, "WithAPIVersion", option.Option)
		assert.NotContains(t, err.Error(), "\n")

		if !strings.ContainsAny(date, "\n") {
			t.Setenv("WHOP_API_VERSION", date)
			_, err = whop.NewClient(whop.WithAPIKey(testKey))
			option, ok = errors.AsType[*whop.OptionError](err)
			require.True(t, ok, "%q: %v", date, err)
			assert.Equal(t, "WHOP_API_VERSION", option.Option)
		}
	}
	_, err := whop.NewClient(whop.WithAPIKey(testKey), whop.WithAPIVersion("today"))
	assert.ErrorContains(t, err, "YYYY-MM-DD")
}

// A refusal of a key after an attempt in doubt, as after a switch of versions, stays unknown.
func TestMismatchAfterDoubt(t *testing.T) {
	mismatch := with(400, `{"error":{"type":"invalid_request_error","code":"idempotency_key_mismatch","message":"other"}}`)
	client := newClient(t, "https://whop.test", inMemory(inTurn(with(503, ""), mismatch)))
	failure := sendError(t, client, paid.WithIdempotencyKey("order-7"))
	assert.Equal(t, whop.Unknown, failure.Outcome)
	assert.ErrorIs(t, failure, whop.ErrIdempotencyMismatch)
	assert.False(t, failure.Retryable())
}

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

// API speaks the vendored contract whatever that of the client is.
func TestAPIContract(t *testing.T) {
	for version, want := range map[string]string{
		whop.CurrentAPIVersion: whop.DefaultAPIVersion,
		"2026-07-18":           "2026-07-18",
		"":                     "",
	} {
		var sent []*http.Request
		var bodies []string
		client := newClient(t, "https://whop.test", whop.WithAPIVersion(version), recording(&sent, &bodies))
		for _, set := range []string{"", "2026-06-20"} {
			resp, err := client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader(toCompanyBody),
				func(_ context.Context, r *http.Request) error {
					if set != "" {
						r.Header.Set("Api-Version-Date", set)
					}
					return nil
				})
			require.NoError(t, err)
			resp.Body.Close()
		}
		assert.Equal(t, want, sent[0].Header.Get("Api-Version-Date"), version)
		assert.Equal(t, "2026-06-20", sent[1].Header.Get("Api-Version-Date"), version)
	}
}

// That a version is going to be retired is logged once, whatever the answer's status.
func TestDeprecationLog(t *testing.T) {
	for _, status := range []int{200, 400, 410, 503} {
		var log bytes.Buffer
		answer := with(status, queuedBody,
			"Deprecation", "@1790000000", "Sunset", "Wed, 11 Nov 2026 23:59:59 GMT\x1b[2J",
			"Link", `<https://docs.whop.com/a>; rel="help", <https://docs.whop.com/b>; rel="successor-version"`)
		client := newClient(t, "https://whop.test", whop.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
			whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}), inMemory(inTurn(answer, answer, answer)))
		var err error
		for range 3 {
			_, err = client.Send(t.Context(), paid)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "going to be retired"), "%d: %s", status, &log)
		assert.Contains(t, log.String(), "level=WARN")
		assert.Contains(t, log.String(), "deprecation=@1790000000")
		assert.Contains(t, log.String(), "11 Nov 2026")
		assert.Contains(t, log.String(), "successor=https://docs.whop.com/b")
		assert.NotContains(t, log.String(), "\x1b")
		if api, ok := errors.AsType[*whop.APIError](err); ok {
			assert.NotEmpty(t, api.Header.Get("Sunset"))
		}
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

func TestDeprecationSuccessor(t *testing.T) {
	for _, test := range []struct{ link, successor string }{
		{`<https://s.test/a>; rel="successor-version"`, "https://s.test/a"},
		{`<https://s.test/a>; rel=successor-version`, "https://s.test/a"},
		{`<https://s.test/a>; title="a, b"; rel="successor-version"`, "https://s.test/a"},
		{`<https://s.test/a>; rel="latest-version successor-version"`, "https://s.test/a"},
		{`<https://s.test/a>; REL = "Successor-Version"`, "https://s.test/a"},
		{`<https://s.test/a>; rel="help", <https://s.test/b>;rel="successor-version"`, "https://s.test/b"},
		{`<https://s.test/a>; rel="help"; title="rel=successor-version"`, ""},
		{`<https://s.test/a>; rel="not-successor-version"`, ""},
		{`nonsense`, ""},
	} {
		var log bytes.Buffer
		client := newClient(t, "https://whop.test", whop.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
			inMemory(inTurn(with(200, queuedBody, "Sunset", "soon", "Link", test.link))))
		_, err := client.Send(t.Context(), paid)
		require.NoError(t, err)
		if test.successor == "" {
			assert.NotContains(t, log.String(), "successor=", test.link)
		} else {
			assert.Contains(t, log.String(), "successor="+test.successor+"\n", test.link)
		}
	}
}

// A request without a method is a GET, as in net/http.
func TestDoWithoutAMethod(t *testing.T) {
	client := newClient(t, "https://whop.test/api/v1", inMemory(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("broken")
	}), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	err := ignoringResponse(client.Do(&http.Request{URL: &url.URL{Scheme: "https", Host: "whop.test", Path: "/api/v1/other"}}))
	assert.ErrorContains(t, err, `Get "https://whop.test/api/v1/other": broken`)
}
