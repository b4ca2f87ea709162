package wrapper_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// apiError sends once and returns the answer in the error.
func apiError(t *testing.T, answer func() (*http.Response, error), opts ...whop.Option) (*whop.SendError, *whop.APIError) {
	t.Helper()
	once := whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1})
	client := newClient(t, "https://whop.test", append([]whop.Option{once, inMemory(inTurn(answer))}, opts...)...)
	failure := sendError(t, client, paid)
	api, ok := errors.AsType[*whop.APIError](error(failure))
	require.True(t, ok, "%v", failure)
	return failure, api
}

func TestErrorBodies(t *testing.T) {
	type fields struct{ Type, Code, Message, Param string }
	for _, test := range []struct {
		name, body string
		want       fields
	}{
		{name: "documented", body: `{"error":{"type":"t","code":"c","message":"m","param":"p"}}`, want: fields{Type: "t", Code: "c", Message: "m", Param: "p"}},
		{name: "nulls", body: `{"error":{"type":"t","code":null,"message":"m","param":null}}`, want: fields{Type: "t", Message: "m"}},
		{name: "null_error", body: `{"error":null}`, want: fields{}},
		{name: "string_error", body: `{"error":"text"}`, want: fields{Message: "text"}},
		{name: "message_alone", body: `{"message":"You are being rate limited"}`, want: fields{Message: "You are being rate limited"}},
		{name: "null_error_with_message", body: `{"error":null,"message":"m"}`, want: fields{Message: "m"}},
		{name: "other_types", body: `{"error":{"type":7,"code":["a"],"message":{"a":1},"param":false}}`, want: fields{Type: "7", Code: `["a"]`, Message: `{"a":1}`, Param: "false"}},
		{name: "array_error", body: `{"error":["a"]}`, want: fields{Message: `["a"]`}},
		{name: "HTML", body: "<html>\n<h1>502 Bad Gateway</h1></html>", want: fields{Message: "<html> <h1>502 Bad Gateway</h1></html>"}},
		{name: "text", body: " try later ", want: fields{Message: "try later"}},
		{name: "empty", want: fields{}},
		{name: "cut", body: `{"error":{"type":"t","me`, want: fields{Message: `{"error":{"type":"t","me`}},
		{name: "another_object", body: `{"errors":[{"detail":"d"}]}`, want: fields{Message: `{"errors":[{"detail":"d"}]}`}},
		{name: "a_JSON_string", body: `"down"`, want: fields{Message: `"down"`}},
		{name: "bytes", body: "\xff\xfe\x00", want: fields{}},
		{name: "unknown_fields", body: `{"error":{"type":"t","message":"m","doc_url":"d"},"more":1}`, want: fields{Type: "t", Message: "m"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, status := range []int{400, 401, 422, 429, 500, 503} {
				failure, api := apiError(t, with(status, test.body))
				assert.Equal(t, status, api.StatusCode)
				assert.Equal(t, test.want, fields{Type: api.Type, Code: api.Code, Message: api.Message, Param: api.Param})
				assert.Equal(t, test.body, string(api.Body))
				assert.ErrorContains(t, failure, fmt.Sprint(status))
				assert.NotContains(t, failure.Error(), "\n")
			}
		})
	}
}

func TestLongErrors(t *testing.T) {
	long := strings.Repeat("é", 200_000)
	for _, body := range []string{long, `{"error":{"type":"` + long + `","message":"` + long + `","code":"` + long + `","param":"` + long + `"}}`} {
		failure, api := apiError(t, with(500, body, "X-Request-Id", "r"))
		assert.Len(t, api.Body, 4<<10)
		assert.Less(t, len(failure.Error()), 2000)
		assert.Less(t, len(api.Message), 2000)
	}
}

func TestBodiesOverTheLimit(t *testing.T) {
	for _, test := range []struct {
		status  int
		size    int
		prefix  string
		outcome whop.Outcome
		matches error
	}{
		{status: 200, size: 3 << 20, prefix: queuedBody, outcome: whop.Unknown, matches: whop.ErrMalformedResponse},
		{status: 400, size: 3 << 20, outcome: whop.Rejected, matches: whop.ErrBadRequest},
		{status: 503, size: 3 << 20, outcome: whop.Unknown, matches: whop.ErrServer},
	} {
		read := &countingReader{left: test.size}
		failure, api := apiError(t, func() (*http.Response, error) {
			resp := response(test.status, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(test.prefix), read))
			return resp, nil
		})
		assert.Equal(t, test.outcome, failure.Outcome)
		assert.ErrorIs(t, failure, test.matches)
		assert.Len(t, api.Body, 4<<10)
		assert.LessOrEqual(t, test.size-read.left, 1<<20+1, "it is not read to the end")
	}

	// One of exactly the limit is an answer.
	client := newClient(t, "https://whop.test", inMemory(inTurn(with(200, queuedBody+strings.Repeat(" ", 1<<20-len(queuedBody))))))
	_, err := client.Send(t.Context(), paid)
	assert.NoError(t, err)
}

type countingReader struct{ left int }

func (r *countingReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	for i := range n {
		p[i] = ' '
	}
	r.left -= n
	return n, nil
}

func TestSuccessBodies(t *testing.T) {
	for body, is := range map[string]error{
		`{"success":true}`:                  nil,
		" {\n \"success\" : true } \n":      nil,
		`{"success":true,"id":"n_1"}`:       nil,
		`{"success":false}`:                 whop.ErrNotQueued,
		`{"success":null}`:                  whop.ErrMalformedResponse,
		`{"success":"true"}`:                whop.ErrMalformedResponse,
		`{"success":1}`:                     whop.ErrMalformedResponse,
		`{}`:                                whop.ErrMalformedResponse,
		`null`:                              whop.ErrMalformedResponse,
		`true`:                              whop.ErrMalformedResponse,
		`[{"success":true}]`:                whop.ErrMalformedResponse,
		`{"success":true} and more`:         whop.ErrMalformedResponse,
		`{"success":tr`:                     whop.ErrMalformedResponse,
		`<html>Sign in to the Wi-Fi</html>`: whop.ErrMalformedResponse,
		``:                                  whop.ErrMalformedResponse,
	} {
		for _, status := range []int{200, 201, 202, 299} {
			if is == nil {
				client := newClient(t, "https://whop.test", inMemory(inTurn(with(status, body, "X-Request-Id", "req_1"))))
				receipt, err := client.Send(t.Context(), paid)
				require.NoError(t, err, body)
				assert.Equal(t, status, receipt.StatusCode)
				assert.Equal(t, "req_1", receipt.RequestID)
				assert.Equal(t, 1, receipt.Attempts)
				assert.False(t, receipt.Replayed)
				continue
			}
			failure, api := apiError(t, with(status, body))
			assert.ErrorIs(t, failure, is, body)
			assert.Equal(t, status, api.StatusCode)
			want := whop.Unknown
			if is == whop.ErrNotQueued {
				want = whop.Rejected
			}
			assert.Equal(t, want, failure.Outcome, body)
			assert.Equal(t, is != whop.ErrNotQueued, failure.Retryable(), body)
		}
	}
}

func TestErrorMatching(t *testing.T) {
	all := []error{
		whop.ErrBadRequest, whop.ErrUnauthorized, whop.ErrForbidden, whop.ErrNotFound, whop.ErrConflict,
		whop.ErrVerificationRequired, whop.ErrRateLimited, whop.ErrServer, whop.ErrIdempotencyMismatch,
		whop.ErrIdempotencyInProgress, whop.ErrNotQueued, whop.ErrMalformedResponse, whop.ErrRedirect, whop.ErrInvalidNotification,
	}
	coded := func(code string) string { return `{"error":{"type":"t","message":"m","code":"` + code + `"}}` }
	for _, test := range []struct {
		status    int
		body      string
		matches   []error
		retryable bool
	}{
		{status: 302, matches: []error{whop.ErrRedirect}},
		{status: 400, matches: []error{whop.ErrBadRequest}},
		{status: 400, body: coded("idempotency_key_mismatch"), matches: []error{whop.ErrBadRequest, whop.ErrIdempotencyMismatch}},
		{status: 401, matches: []error{whop.ErrUnauthorized}},
		{status: 403, matches: []error{whop.ErrForbidden}},
		{status: 404, matches: []error{whop.ErrNotFound}},
		{status: 408, retryable: true},
		{status: 409, matches: []error{whop.ErrConflict}},
		{status: 409, body: coded("idempotency_request_in_progress"), matches: []error{whop.ErrConflict, whop.ErrIdempotencyInProgress}, retryable: true},
		{status: 418},
		{status: 422, body: `{"error":null}`, matches: []error{whop.ErrVerificationRequired}},
		{status: 429, matches: []error{whop.ErrRateLimited}, retryable: true},
		{status: 500, matches: []error{whop.ErrServer}, retryable: true},
		{status: 503, body: coded("idempotency_request_in_progress"), matches: []error{whop.ErrServer}, retryable: true},
	} {
		failure, _ := apiError(t, with(test.status, test.body))
		for _, target := range all {
			want := false
			for _, e := range test.matches {
				want = want || e == target
			}
			assert.Equal(t, want, errors.Is(fmt.Errorf("sending: %w", failure), target), "%d is %v", test.status, target)
		}
		assert.Equal(t, test.retryable, failure.Retryable(), "%d %s", test.status, test.body)
	}

	failure, _ := apiError(t, with(429, "", "Idempotent-Replayed", "true"))
	assert.False(t, failure.Retryable(), "the same key would be answered alike")
	failure, _ = apiError(t, with(500, "", "X-Should-Retry", "false"))
	assert.False(t, failure.Retryable())
	failure, _ = apiError(t, with(400, "", "X-Should-Retry", "true"))
	assert.True(t, failure.Retryable())
}

func TestRequestID(t *testing.T) {
	_, api := apiError(t, with(500, "", "Cf-Ray", "ray", "X-Request-Id", "req"))
	assert.Equal(t, "req", api.RequestID)
	_, api = apiError(t, with(500, "", "Cf-Ray", "ray"))
	assert.Equal(t, "ray", api.RequestID)
	_, api = apiError(t, with(500, ""))
	assert.Empty(t, api.RequestID)
}

// A server, or a proxy, that sends the key back does not get it into an error or a log.
func TestKeyRedactedFromAnswers(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"message": with(401, `{"error":{"type":"`+testKey+`","message":"bad key `+testKey+`","code":"`+testKey+`","param":"`+testKey+`"}}`),
		"escaped": with(401, `{"error":{"type":"t","message":"bad key `+strings.ReplaceAll(testKey, "_", `\u005f`)+`"}}`),
		"text":    with(500, "Authorization: Bearer "+testKey),
		"header":  with(500, "", "X-Echo", "Bearer "+testKey, "X-Request-Id", testKey),
		"success": with(200, `{"you sent":"`+testKey+`"}`),
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			failure, api := apiError(t, answer, whop.WithLogger(logger))
			logger.Error("failed", "error", failure, "api", api)
			asJSON, err := json.Marshal(failure)
			require.NoError(t, err)
			for _, shown := range []string{
				failure.Error(), fmt.Sprintf("%+v", failure), fmt.Sprintf("%#v", api), api.Error(), string(api.Body),
				fmt.Sprint(api.Header), log.String(), string(asJSON),
			} {
				assert.NotContains(t, shown, testKey)
			}
		})
	}

	t.Run("not_HTTP", func(t *testing.T) {
		url := rawServer(t, func(c net.Conn) {
			readRequest(c)
			_, _ = io.WriteString(c, "Bearer "+testKey+"\r\n\r\n")
		})
		failure := sendError(t, newClient(t, url), paid)
		assert.NotContains(t, failure.Error(), testKey)
	})
}

func TestErrorTexts(t *testing.T) {
	keyed := paid.WithIdempotencyKey("order-7")
	body := `{"error":{"type":"invalid_request_error","code":"parameter_missing","message":"Missing required parameter: title.","param":"title"}}`
	for _, test := range []struct {
		answer func() (*http.Response, error)
		want   string
	}{
		{
			with(400, body, "X-Request-Id", "req_1"),
			"whop: notification rejected (1 attempt): 400 Bad Request: Missing required parameter: title. (type invalid_request_error, code parameter_missing, param title, request id req_1)",
		},
		{
			with(429, "", "Retry-After", "120"),
			"whop: notification rejected (1 attempt): 429 Too Many Requests; no retry: the wait is over the 1m0s of RetryPolicy.MaxRetryAfter; retry after 2m0s",
		},
		{
			with(503, "over\r\n2026 ERROR forged"),
			"whop: notification may have been queued (3 attempts, idempotency key order-7): 503 Service Unavailable: over 2026 ERROR forged",
		},
		{
			with(302, "", "Location", "https://other.test/"),
			"whop: notification rejected (1 attempt): 302 Found (location https://other.test/)",
		},
		{
			with(200, `{"success":false}`),
			`whop: notification rejected (1 attempt): 200 OK: the answer says that the notification was not queued: {"success":false}`,
		},
		{
			with(200, "<html>"),
			"whop: notification may have been queued (1 attempt, idempotency key order-7): 200 OK: the answer was not understood: <html>",
		},
	} {
		client := newClient(t, "https://whop.test", inMemory(inTurn(test.answer, test.answer, test.answer)))
		assert.EqualError(t, sendError(t, client, keyed), test.want)
	}
	refused := "http://" + closedAddress(t)
	assert.Regexp(t, `^whop: notification not sent \(3 attempts\): Post "http://127\.0\.0\.1:\d+/notifications": dial tcp 127\.0\.0\.1:\d+: connect: connection refused$`,
		sendError(t, newClient(t, refused), paid).Error())
	assert.EqualError(t, sendError(t, newClient(t, refused), paid.OnlyUsers()),
		"whop: invalid notification: user_ids: narrows the audience to nobody; leave user_ids out to notify everybody")
}

func TestErrorLogGroups(t *testing.T) {
	var log bytes.Buffer
	failure, _ := apiError(t, with(429, `{"error":{"type":"rate_limited","message":"slow down"}}`, "X-Request-Id", "r", "Retry-After", "3"))
	slog.New(slog.NewJSONHandler(&log, nil)).Error("not notified", "error", failure)
	var line struct {
		Error struct {
			Outcome    string
			Attempts   int
			Retryable  bool
			RetryAfter int64 `json:"retry_after"`
			Response   struct {
				Status    int
				Type      string
				Message   string
				RequestID string `json:"request_id"`
			}
		}
	}
	require.NoError(t, json.Unmarshal(log.Bytes(), &line), log.String())
	assert.Equal(t, "rejected", line.Error.Outcome)
	assert.Equal(t, 1, line.Error.Attempts)
	assert.True(t, line.Error.Retryable)
	assert.EqualValues(t, 3e9, line.Error.RetryAfter)
	assert.Equal(t, 429, line.Error.Response.Status)
	assert.Equal(t, "rate_limited", line.Error.Response.Type)
	assert.Equal(t, "slow down", line.Error.Response.Message)
	assert.Equal(t, "r", line.Error.Response.RequestID)
}
