package wrapper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// oneAttempt returns what a send makes of a single answer.
func oneAttempt(t *testing.T, status int, body string, headers http.Header) (*whop.Receipt, *whop.SendError, whop.Attempt) {
	t.Helper()
	var seen whop.Attempt
	client := newClient(t, "https://whop.test",
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}),
		whop.WithObserver(func(_ context.Context, a whop.Attempt) { seen = a }),
		inMemory(func(*http.Request) (*http.Response, error) {
			resp := response(status, body)
			resp.Header = headers
			return resp, nil
		}))
	receipt, err := client.Send(t.Context(), paid)
	failure, _ := errors.AsType[*whop.SendError](err)
	require.Equal(t, receipt == nil, failure != nil)
	return receipt, failure, seen
}

// FuzzAnswers: no body changes the outcome of a status, but for what the contract says
// in it, and none forges a log line or shows the key.
func FuzzAnswers(f *testing.F) {
	for _, status := range []int{200, 202, 204, 301, 400, 401, 404, 408, 409, 422, 429, 500, 503, 999} {
		for _, body := range []string{
			``, `{}`, `null`, `[]`, `{"success":true}`, `{"success":false}`, `{"success":null}`, `{"success":"true"}`,
			`{"error":null}`, `{"error":"text"}`, `{"message":"You are being rate limited"}`,
			`{"error":{"type":"a","code":"idempotency_request_in_progress","message":"b","param":"c"}}`,
			`{"error":{"type":1,"code":{},"message":["x"],"param":false}}`,
			"<h1>Bad gateway</h1>", "\xff\xfe\x00", "line\r\nline\u2028line\x1b[31m", `{"error":{"message":"` + testKey + `"}}`,
			`{"error":{"message":"` + strings.Repeat("long ", 3000) + `"}}`, `{"error":{"message":"cut`,
		} {
			f.Add(status, []byte(body))
		}
	}
	f.Fuzz(func(t *testing.T, status int, raw []byte) {
		if status < 200 || status > 999 {
			return // net/http gives no others
		}
		body := string(raw)
		receipt, failure, _ := oneAttempt(t, status, body, nil)
		if receipt != nil {
			assert.True(t, status < 300 && saysSuccess(raw) == "true", "%d %q is no success", status, body)
			return
		}
		outcome, retryable := expected(status, raw)
		assert.Equal(t, outcome, failure.Outcome, "%d %q", status, body)
		assert.Equal(t, retryable, failure.Retryable(), "%d %q", status, body)

		api, ok := errors.AsType[*whop.APIError](error(failure))
		require.True(t, ok, "%v", failure)
		assert.Equal(t, status, api.StatusCode)
		assert.LessOrEqual(t, len(api.Body), 4<<10)
		for _, text := range []string{failure.Error(), api.Error()} {
			assert.True(t, utf8.ValidString(text), "%q", text)
			assert.False(t, strings.ContainsAny(text, "\r\n\x1b\u0085\u2028\u2029"), "%q", text)
			assert.Less(t, len(text), 2000)
			assert.NotContains(t, text, testKey)
		}
		assert.NotContains(t, fmt.Sprintf("%v %+v %s", failure, api, api.LogValue()), testKey)
	})
}

// saysSuccess is "true", "false" or "": what a body says by the contract.
func saysSuccess(body []byte) string {
	var answer struct{ Success *bool }
	if json.Unmarshal(body, &answer) != nil || answer.Success == nil {
		return ""
	}
	return fmt.Sprint(*answer.Success)
}

// expected is the table of RetryPolicy, for an answer without headers.
func expected(status int, body []byte) (outcome whop.Outcome, retryable bool) {
	switch {
	case status < 300 && saysSuccess(body) == "false":
		return whop.Rejected, false
	case status < 300, status >= 500:
		return whop.Unknown, true
	case status == 408:
		return whop.Unknown, true
	case status == 429:
		return whop.Rejected, true
	case status == 303:
		return whop.Unknown, false
	case status == 409:
		var answer struct {
			Error struct{ Code json.RawMessage }
		}
		var code string
		_ = json.Unmarshal(body, &answer)
		if json.Unmarshal(answer.Error.Code, &code) == nil && code == inProgress {
			return whop.Unknown, true
		}
	}
	return whop.Rejected, false
}

// FuzzBrokenBodies: nor does a body that breaks off, of which only a 409 may have been
// about to say more.
func FuzzBrokenBodies(f *testing.F) {
	for _, status := range []int{200, 302, 400, 409, 429, 500} {
		f.Add(status, `{"success":true}`)
		f.Add(status, `{"error":{"code":"idempo`)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 999 {
			return
		}
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}),
			inMemory(func(*http.Request) (*http.Response, error) {
				resp := response(status, "")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), brokenOff{}))
				return resp, nil
			}))
		failure := sendError(t, client, paid)
		want, retryable := expected(status, []byte("cut off"))
		if status == 409 {
			want, retryable = whop.Unknown, true
		}
		assert.Equal(t, want, failure.Outcome, "%d %q", status, body)
		assert.Equal(t, retryable, failure.Retryable(), "%d %q", status, body)
		assert.ErrorIs(t, failure, io.ErrUnexpectedEOF)
	})
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// FuzzWaits: whatever a server asks for, the wait is none or positive, a retry waits at
// least that and at most 10 % more, and none waits longer than the policy allows.
func FuzzWaits(f *testing.F) {
	for _, wait := range []string{
		"", "0", "1", "-1", "1.5", ".5", "5.", "1e9", "NaN", "Inf", "0x10", "99999999999999999999", "9223372036.854775807", "9223372036854775807",
		"Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 1999 07:28:00 GMT", "soon", "1 ", "\x00", "60", "61", "0.0000000001",
	} {
		f.Add(wait, "", "", 429)
		f.Add("", wait, "", 503)
		f.Add("", "", "Try again in "+wait+" seconds.", 429)
		f.Add("", "", "Try again in "+wait+" minutes and 30 seconds.", 429)
	}
	f.Add("", "", "600 requests per 60 seconds. Try again in 1 minute.", 429)
	f.Fuzz(func(t *testing.T, millis, after, message string, status int) {
		if status != 408 && status != 429 && (status < 500 || status > 599) {
			return
		}
		body, err := json.Marshal(map[string]any{"error": map[string]string{"type": "t", "message": message}})
		require.NoError(t, err)
		const maxRetryAfter = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var seen whop.Attempt
		client := newClient(t, "https://whop.test",
			whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: time.Second, MaxDelay: time.Second, MaxRetryAfter: maxRetryAfter}),
			whop.WithObserver(func(_ context.Context, a whop.Attempt) {
				seen = a
				cancel() // instead of waiting
			}),
			inMemory(func(*http.Request) (*http.Response, error) {
				return response(status, string(body), "Retry-After-Ms", millis, "Retry-After", after), nil
			}))
		_, err = client.Send(ctx, paid)
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		asked := failure.RetryAfter
		switch {
		case asked < 0:
			t.Fatalf("a negative wait of %v", asked)
		case asked == 0:
			assert.True(t, seen.RetryIn >= 750*time.Millisecond && seen.RetryIn <= time.Second, "back-off of %v", seen.RetryIn)
		case asked > maxRetryAfter:
			assert.Zero(t, seen.RetryIn)
		default:
			assert.True(t, seen.RetryIn >= asked && seen.RetryIn <= asked+asked/10, "asked for %v, waits %v", asked, seen.RetryIn)
		}
	})
}
