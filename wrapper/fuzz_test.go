package wrapper_test

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// FuzzAnswer: no body and no header changes what a status means, but for the two words
// that may ("success" of a 2xx, the code of a 409), and none breaks the error's one line.
func FuzzAnswer(f *testing.F) {
	for _, status := range []int{200, 202, 204, 302, 400, 401, 408, 409, 422, 429, 500, 503, 101, 999} {
		for _, body := range []string{
			"", queuedBody, `{"success":false}`, `{"error":null}`, `{"error":"x"}`, `{"message":"m"}`, "<html>", "\xff",
			`{"error":{"type":"t","code":"idempotency_request_in_progress","message":"m","param":null}}`,
		} {
			f.Add(status, body, "X-Request-Id", "r")
		}
	}
	f.Add(429, `{"message":"wait 99999999999999999999 minutes"}`, "Retry-After", "1e999")
	f.Add(429, "", "Retry-After-Ms", "-0")
	f.Add(503, "", "Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, status int, body, name, value string) {
		if status < 100 || status > 999 {
			return // net/http gives no such response
		}
		header := http.Header{}
		header.Add(name, value)
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}),
			inMemory(func(*http.Request) (*http.Response, error) {
				resp := response(status, body)
				resp.Header = header
				return resp, nil
			}))
		receipt, err := client.Send(t.Context(), paid)
		if err == nil {
			require.True(t, status/100 == 2, "status %d is success", status)
			require.Contains(t, body, "true")
			require.Equal(t, status, receipt.StatusCode)
			return
		}
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		api, ok := errors.AsType[*whop.APIError](err)
		require.True(t, ok)
		require.Equal(t, status, api.StatusCode)
		require.GreaterOrEqual(t, failure.RetryAfter, time.Duration(0))
		require.LessOrEqual(t, len(api.Body), 4<<10)

		switch {
		case status/100 == 2:
			require.Equal(t, errors.Is(err, whop.ErrNotQueued), failure.Outcome == whop.Rejected)
			require.Equal(t, errors.Is(err, whop.ErrMalformedResponse), failure.Outcome == whop.Unknown)
		case errors.Is(err, whop.ErrIdempotencyInProgress):
			require.Equal(t, 409, status)
			require.Equal(t, whop.Unknown, failure.Outcome)
		case status >= 300 && status < 500:
			require.Equal(t, whop.Rejected, failure.Outcome)
		default:
			require.Equal(t, whop.Unknown, failure.Outcome)
		}

		text := err.Error()
		require.True(t, utf8.ValidString(text), "%q", text)
		require.Less(t, len(text), 4000)
		require.NotContains(t, text, testKey)
		require.Equal(t, -1, strings.IndexFunc(text, unicode.IsControl), "%q", text)
	})
}

// FuzzWait: whatever a server asks for is no negative wait, and a wait that it spells
// as a plain number is never cut short.
func FuzzWait(f *testing.F) {
	for _, s := range []string{"", "1", "0", "-1", "1.5", ".5", "5.", "1e3", "0x1p4", "NaN", "inf", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "1_0"} {
		f.Add(s, s, "wait "+s+" seconds")
	}
	f.Add("", "", "Try again in 1 minute and 30 seconds, 600 requests per 60 seconds")
	f.Fuzz(func(t *testing.T, ms, seconds, message string) {
		body, err := json.Marshal(map[string]any{"error": map[string]string{"type": "rate_limited", "message": message}})
		require.NoError(t, err)
		client := newClient(t, "https://whop.test", whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}),
			inMemory(inTurn(with(429, string(body), "Retry-After-Ms", ms, "Retry-After", seconds))))
		failure := sendError(t, client, paid)
		require.GreaterOrEqual(t, failure.RetryAfter, time.Duration(0))
		require.Equal(t, whop.Rejected, failure.Outcome)
	})
}

// FuzzNotificationJSON: what decodes encodes to the same, and an audience never grows.
func FuzzNotificationJSON(f *testing.F) {
	for _, s := range []string{
		`{"company_id":"biz_1","title":"T","content":"C"}`,
		`{"experience_id":"exp_1","title":"T","content":"C","user_ids":["u"],"subtitle":null,"rest_path":"/x","icon_user_id":"u"}`,
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":[]}`,
		`{"company_id":"biz_1","experience_id":"exp_1"}`,
		`{"company_id":"biz_1","user_ids":["u"],"user_ids":null}`,
		`{"title":"\ud800"}`, `null`, `[]`, ``, `{`, "{\"\xff\":1}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n := paid
		err := n.UnmarshalJSON(data)
		if err != nil {
			require.ErrorIs(t, err, whop.ErrInvalidNotification)
			require.Equal(t, paid, n)
			require.Equal(t, -1, strings.IndexFunc(err.Error(), unicode.IsControl), "%q", err.Error())
			return
		}
		body, err := n.MarshalJSON()
		if err != nil {
			require.ErrorIs(t, err, whop.ErrInvalidNotification)
			return
		}
		var said, meant map[string]any
		require.NoError(t, json.Unmarshal(body, &said))
		require.NoError(t, json.Unmarshal(data, &meant))
		require.Equal(t, meant["user_ids"], said["user_ids"])
		require.Equal(t, meant["company_id"], said["company_id"])
		require.Equal(t, meant["experience_id"], said["experience_id"])

		var again whop.Notification
		require.NoError(t, again.UnmarshalJSON(body))
		require.Equal(t, n, again)
	})
}

// FuzzConfiguration: nothing makes NewClient panic or show a secret, and what it
// accepts goes where it was told to.
func FuzzConfiguration(f *testing.F) {
	for _, u := range []string{
		"https://api.whop.com/api/v1", "http://127.0.0.1:8080", "http://[::1]/", "https://u:hunter22secret@h/", "https://h/?k=hunter22secret",
		"https://h:hunter22secret/", "https:// h/", "%", "https://%zz/", "http://localhost.", "https://[fe80::1%25en0]/", "//h", "https://h/../..//x",
	} {
		f.Add(u, "hunter22secret", "2026-07-20", "agent/1")
	}
	f.Add("https://h", "key\nhunter22secret", "", "")
	f.Fuzz(func(t *testing.T, base, key, version, agent string) {
		var got *http.Request
		client, err := whop.NewClient(whop.WithBaseURL(base), whop.WithAPIKey(key), whop.WithAPIVersion(version), whop.WithUserAgent(agent),
			inMemory(func(r *http.Request) (*http.Response, error) {
				got = r
				return response(200, queuedBody), nil
			}))
		if err != nil {
			require.Nil(t, client)
			require.NotContains(t, err.Error(), "hunter22secret")
			return
		}
		_, err = client.Send(t.Context(), paid)
		require.NoError(t, err)
		want, err := url.Parse(base)
		require.NoError(t, err)
		assert.Equal(t, want.Hostname(), got.URL.Hostname())
		assert.Equal(t, want.Port(), got.URL.Port())
		assert.True(t, strings.HasSuffix(got.URL.Path, "/notifications"))
		assert.Equal(t, "Bearer "+key, got.Header.Get("Authorization"))
		assert.Nil(t, got.URL.User)
		assert.Empty(t, got.URL.RawQuery)
		if got.URL.Scheme != "https" {
			host := strings.ToLower(got.URL.Hostname())
			assert.True(t, host == "localhost" || net.ParseIP(host).IsLoopback(), "plain http to %q", host)
		}
	})
}
