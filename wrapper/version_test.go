package wrapper_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
