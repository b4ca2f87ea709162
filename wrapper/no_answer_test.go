package wrapper_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// An answer whose status HTTP does not have is an answer, if an unreadable one: the
// request may have been handled.
func TestStatusUnder100(t *testing.T) {
	for _, test := range []struct {
		name string
		opts func(*testing.T) (baseURL string, opts []whop.Option)
	}{
		{"000 from a server", func(t *testing.T) (string, []whop.Option) {
			return rawServer(t, say("HTTP/1.1 000 Odd\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"+queuedBody)), nil
		}},
		{"007 from a server", func(t *testing.T) (string, []whop.Option) {
			return rawServer(t, say("HTTP/1.1 007 Odd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")), nil
		}},
		{"left out by a transport", func(*testing.T) (string, []whop.Option) {
			return "https://whop.test", []whop.Option{inMemory(func(*http.Request) (*http.Response, error) { return response(0, queuedBody), nil })}
		}},
		{"negative", func(*testing.T) (string, []whop.Option) {
			return "https://whop.test", []whop.Option{inMemory(func(*http.Request) (*http.Response, error) { return response(-1, queuedBody), nil })}
		}},
	} {
		for _, policy := range []struct {
			atMostOnce bool
			attempts   int
		}{{false, 3}, {true, 1}} {
			t.Run(fmt.Sprintf("%s/AtMostOnce_%v", test.name, policy.atMostOnce), func(t *testing.T) {
				url, opts := test.opts(t)
				p := quick
				p.AtMostOnce = policy.atMostOnce
				var seen []whop.Attempt
				opts = append(opts, whop.WithRetryPolicy(p), whop.WithObserver(func(_ context.Context, a whop.Attempt) { seen = append(seen, a) }))
				client := newClient(t, url, opts...)

				failure := sendError(t, client, paid)
				assert.Equal(t, whop.Unknown, failure.Outcome)
				assert.Equal(t, policy.attempts, failure.Attempts)
				assert.ErrorIs(t, failure, whop.ErrMalformedResponse)
				assert.ErrorContains(t, failure, "which HTTP does not have")
				_, isAPIError := errors.AsType[*whop.APIError](error(failure))
				assert.False(t, isAPIError)
				require.Len(t, seen, policy.attempts)
				for _, attempt := range seen {
					assert.Error(t, attempt.Err)
					assert.Zero(t, attempt.StatusCode)
				}

				resp, err := client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader(toCompanyBody))
				if !assert.Nil(t, resp) {
					resp.Body.Close()
				}
				assert.ErrorIs(t, err, whop.ErrMalformedResponse)
			})
		}
	}
}

// A transport that delivers a request twice leaves open of which delivery a refusal speaks.
func TestRefusalAfterAnEarlierDelivery(t *testing.T) {
	write := func(trace *httptrace.ClientTrace) { trace.WroteHeaders() }
	connect := func(trace *httptrace.ClientTrace) { trace.GetConn("whop.test:443") }
	for _, test := range []struct {
		name    string
		hooks   []func(*httptrace.ClientTrace)
		answer  *http.Response
		outcome whop.Outcome
		retried bool
	}{
		{"once, 400", []func(*httptrace.ClientTrace){connect, write}, response(400, ""), whop.Rejected, false},
		{"on two connections, 400", []func(*httptrace.ClientTrace){connect, write, connect, write}, response(400, ""), whop.Unknown, false},
		{"twice, 400", []func(*httptrace.ClientTrace){write, write}, response(400, ""), whop.Unknown, false},
		{"twice, 401", []func(*httptrace.ClientTrace){write, write}, response(401, ""), whop.Unknown, false},
		{"twice, 302", []func(*httptrace.ClientTrace){write, write}, response(302, ""), whop.Unknown, false},
		{"twice, success false", []func(*httptrace.ClientTrace){write, write}, response(200, `{"success":false}`), whop.Unknown, false},
		{"twice, 429", []func(*httptrace.ClientTrace){write, write}, response(429, ""), whop.Unknown, true},
		{"twice, 429 replayed", []func(*httptrace.ClientTrace){write, write}, response(429, "", "Idempotent-Replayed", "true"), whop.Unknown, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, atMostOnce := range []bool{false, true} {
				requests := 0
				transport := roundTripper(func(r *http.Request) (*http.Response, error) {
					if requests++; requests > 1 {
						return response(200, queuedBody), nil
					}
					for _, hook := range test.hooks {
						hook(httptrace.ContextClientTrace(r.Context()))
					}
					answer := *test.answer
					answer.Body = io.NopCloser(strings.NewReader(`{"success":false}`))
					return &answer, nil
				})
				p := quick
				p.AtMostOnce = atMostOnce
				client := newClient(t, "https://whop.test", inMemory(transport), whop.WithRetryPolicy(p))
				_, err := client.Send(t.Context(), paid)
				if test.retried && !atMostOnce {
					require.NoError(t, err)
					continue
				}
				failure, ok := errors.AsType[*whop.SendError](err)
				require.True(t, ok)
				assert.Equal(t, test.outcome, failure.Outcome, "%v", failure)
				assert.Equal(t, 1, failure.Attempts)
			}
		})
	}
}

// A transport that says in any way that the request was written has disproved NotSent.
func TestAnyHookOfWritingIsDoubt(t *testing.T) {
	for name, hook := range map[string]func(*httptrace.ClientTrace){
		"headers": func(trace *httptrace.ClientTrace) { trace.WroteHeaders() },
		"request": func(trace *httptrace.ClientTrace) { trace.WroteRequest(httptrace.WroteRequestInfo{}) },
		"answer":  func(trace *httptrace.ClientTrace) { trace.GotFirstResponseByte() },
	} {
		t.Run(name, func(t *testing.T) {
			failure := sendError(t, newClient(t, "https://whop.test", inMemory(func(r *http.Request) (*http.Response, error) {
				trace := httptrace.ContextClientTrace(r.Context())
				trace.GetConn("whop.test:443")
				trace.GotConn(httptrace.GotConnInfo{})
				hook(trace)
				return nil, errors.New("broken")
			})), paid)
			assert.Equal(t, whop.Unknown, failure.Outcome)
		})
	}
}

// What net/http's own transport refuses before it asks for a connection was not sent.
func TestErrorBeforeAnyConnectionIsNotSent(t *testing.T) {
	failing := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("no such proxy configuration") }}
	failure := sendError(t, newClient(t, "https://whop.test", whop.WithHTTPClient(&http.Client{Transport: failing})), paid)
	assert.Equal(t, whop.NotSent, failure.Outcome, "%v", failure)
	assert.ErrorContains(t, failure, "no such proxy configuration")

	client := newClient(t, "http://"+closedAddress(t), whop.WithHTTPClient(&http.Client{Transport: &http.Transport{}}))
	_, err := client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader(toCompanyBody),
		func(_ context.Context, r *http.Request) error {
			r.Header.Set("X-Odd", "two\nlines")
			return nil
		})
	failure, ok := errors.AsType[*whop.SendError](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, whop.NotSent, failure.Outcome, "%v", failure)
	assert.ErrorContains(t, failure, "invalid header field value")
}

// A proxy that refuses to connect is named as the proxy, with its status. Under 500 it
// will refuse again.
func TestProxyRefusesToConnect(t *testing.T) {
	for _, test := range []struct {
		answer   string
		attempts int
		says     string
	}{
		{"407 Proxy Authentication Required", 1, "the proxy refused to connect: 407 Proxy Authentication Required"},
		{"403 Forbidden", 1, "the proxy refused to connect: 403 Forbidden"},
		{"502 Bad Gateway", 3, "the proxy refused to connect: 502 Bad Gateway"},
		{"503 Service Unavailable", 3, "the proxy refused to connect: 503 Service Unavailable"},
		{"403 Not from \x1b[31mhere", 3, "the proxy made no connection: Not from [31mhere"},
		{"000 ", 3, "the proxy made no connection: its answer has no status"},
	} {
		t.Run(test.answer, func(t *testing.T) {
			proxy, err := url.Parse(rawServer(t, say("HTTP/1.1 "+test.answer+"\r\nContent-Length: 0\r\n\r\n")))
			require.NoError(t, err)
			transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
			for _, atMostOnce := range []bool{false, true} {
				p := quick
				p.AtMostOnce = atMostOnce
				client := newClient(t, "https://whop.test", whop.WithRetryPolicy(p), whop.WithHTTPClient(&http.Client{Transport: transport}))
				failure := sendError(t, client, paid)
				assert.Equal(t, whop.NotSent, failure.Outcome, "%v", failure)
				assert.Equal(t, test.attempts, failure.Attempts, "%v", failure)
				assert.ErrorContains(t, failure, test.says)
				assert.True(t, failure.Retryable())
			}
		})
	}
}
