package wrapper_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

func TestInvalidConfig(t *testing.T) {
	const secret = "apik_very_secret_0123456789"
	key := whop.WithAPIKey(secret)
	base := func(u string) []whop.Option { return []whop.Option{key, whop.WithBaseURL(u)} }
	for _, test := range []struct {
		name string
		env  map[string]string
		opts []whop.Option
		want string
	}{
		{name: "no_key", want: "WHOP_API_KEY"},
		{name: "empty_key", env: map[string]string{"WHOP_API_KEY": secret}, opts: []whop.Option{whop.WithAPIKey("")}, want: "WithAPIKey"},
		{name: "key_with_a_line_break", opts: []whop.Option{whop.WithAPIKey(secret + "\n")}, want: "WithAPIKey: API key has a character"},
		{name: "key_with_a_NUL", opts: []whop.Option{whop.WithAPIKey(secret + "\x00")}, want: "WithAPIKey"},
		{name: "key_with_a_space", opts: []whop.Option{whop.WithAPIKey("Bearer " + secret)}, want: "WithAPIKey"},
		{name: "key_not_ASCII", opts: []whop.Option{whop.WithAPIKey(secret + "é")}, want: "WithAPIKey"},
		{name: "environment_key_with_a_line_break", env: map[string]string{"WHOP_API_KEY": secret + "\n"}, want: "WHOP_API_KEY"},
		{name: "no_token_source", opts: []whop.Option{whop.WithTokenSource(nil)}, want: "WithTokenSource"},
		{name: "empty_URL", opts: base(""), want: "WithBaseURL"},
		{name: "URL_without_a_scheme", opts: base("api.whop.com/api/v1"), want: "no scheme"},
		{name: "URL_host_and_port_alone", opts: base("127.0.0.1:8080/api/v1"), want: "no scheme"},
		{name: "URL_with_another_scheme", opts: base("ftp://api.whop.com/"), want: "scheme"},
		{name: "URL_with_credentials", opts: base("https://user:" + secret + "@api.whop.com/"), want: "credentials"},
		{name: "URL_with_odd_credentials", opts: base("https://user:" + secret + " %@api.whop.com/"), want: "not a URL"},
		{name: "URL_with_a_user", opts: base("https://" + secret + "@api.whop.com/"), want: "credentials"},
		{name: "URL_with_a_query", opts: base("https://api.whop.com/?key=" + secret), want: "query"},
		{name: "URL_with_a_fragment", opts: base("https://api.whop.com/#" + secret), want: "fragment"},
		{name: "URL_without_a_host", opts: base("https:///api/v1"), want: "no host"},
		{name: "URL_with_a_control_character", opts: base("https://api.whop.com/\x7f" + secret), want: "not a URL"},
		{name: "URL_port_too_high", opts: base("https://api.whop.com:70000/"), want: "port"},
		{name: "URL_port_not_a_number", opts: base("https://api.whop.com:http/"), want: "not a URL"},
		{name: "plain_http", opts: base("http://api.whop.com/api/v1"), want: "WithInsecureHTTP"},
		{name: "plain_http_lookalike_of_loopback", opts: base("http://localhost.example.org/"), want: "WithInsecureHTTP"},
		{name: "URL_of_the_environment", env: map[string]string{"WHOP_BASE_URL": "http://api.whop.com"}, opts: []whop.Option{key}, want: "WHOP_BASE_URL"},
		{name: "version_with_a_line_break", opts: []whop.Option{key, whop.WithAPIVersion("2026\n")}, want: "WithAPIVersion"},
		{name: "version_of_the_environment", env: map[string]string{"WHOP_API_VERSION": "2026\n"}, opts: []whop.Option{key}, want: "WHOP_API_VERSION"},
		{name: "no_HTTP_client", opts: []whop.Option{key, whop.WithHTTPClient(nil)}, want: "WithHTTPClient"},
		{name: "negative_HTTP_time-out", opts: []whop.Option{key, whop.WithHTTPClient(&http.Client{Timeout: -1})}, want: "WithHTTPClient"},
		{name: "negative_time-out", opts: []whop.Option{key, whop.WithAttemptTimeout(-1)}, want: "WithAttemptTimeout"},
		{name: "negative_attempts", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: -1})}, want: "MaxAttempts"},
		{name: "negative_delay", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: -1})}, want: "BaseDelay"},
		{name: "negative_bound", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{MaxDelay: -1})}, want: "MaxDelay"},
		{name: "negative_server_wait", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{MaxRetryAfter: -1})}, want: "MaxRetryAfter"},
		{name: "limiter_nil_pointer", opts: []whop.Option{key, whop.WithLimiter((*rate.Limiter)(nil))}, want: "WithLimiter"},
		{name: "user_agent_with_a_line_break", opts: []whop.Option{key, whop.WithUserAgent("a\r\nb")}, want: "WithUserAgent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, name := range []string{"WHOP_API_KEY", "WHOP_BASE_URL", "WHOP_API_VERSION"} {
				t.Setenv(name, test.env[name])
			}
			client, err := whop.NewClient(test.opts...)
			require.Error(t, err)
			assert.Nil(t, client)
			assert.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), secret)
		})
	}
}

// Everything that is wrong is reported at once.
func TestConfigErrorsJoined(t *testing.T) {
	_, err := whop.NewClient(whop.WithAPIKey(""), whop.WithBaseURL("x"), whop.WithAttemptTimeout(-1))
	for _, option := range []string{"WithAPIKey", "WithBaseURL", "WithAttemptTimeout"} {
		assert.ErrorContains(t, err, option)
	}
}

func TestBaseURLs(t *testing.T) {
	for given, want := range map[string]string{
		"https://api.whop.com/api/v1":      "https://api.whop.com/api/v1/notifications",
		"https://api.whop.com/api/v1/":     "https://api.whop.com/api/v1/notifications",
		"https://api.whop.com":             "https://api.whop.com/notifications",
		"HTTPS://API.WHOP.COM:8443/x/y":    "https://API.WHOP.COM:8443/x/y/notifications",
		"http://127.0.0.1:8080/api/v1":     "http://127.0.0.1:8080/api/v1/notifications",
		"http://127.9.9.9":                 "http://127.9.9.9/notifications",
		"http://[::1]:8080/":               "http://[::1]:8080/notifications",
		"http://localhost:8080/api/v1":     "http://localhost:8080/api/v1/notifications",
		"https://gateway.test/a%20b/%2Fwh": "https://gateway.test/a%20b/%2Fwh/notifications",
	} {
		t.Run(given, func(t *testing.T) {
			assert.Equal(t, want, sentTo(t, whop.WithBaseURL(given)))
		})
	}
	assert.Equal(t, "http://api.whop.com/notifications", sentTo(t, whop.WithBaseURL("http://api.whop.com"), whop.WithInsecureHTTP()))
}

// The environment fills in what no option says.
func TestEnvironment(t *testing.T) {
	t.Setenv("WHOP_API_KEY", "key-of-the-environment")
	t.Setenv("WHOP_BASE_URL", "")
	t.Setenv("WHOP_API_VERSION", "")
	r := requestOf(t)
	assert.Equal(t, "https://api.whop.com/api/v1/notifications", r.URL.String())
	assert.Equal(t, "Bearer key-of-the-environment", r.Header.Get("Authorization"))
	assert.Equal(t, "2026-07-20", r.Header.Get("Api-Version-Date"))

	t.Setenv("WHOP_BASE_URL", "https://env.test/api")
	t.Setenv("WHOP_API_VERSION", "2025-01-01")
	r = requestOf(t)
	assert.Equal(t, "https://env.test/api/notifications", r.URL.String())
	assert.Equal(t, "2025-01-01", r.Header.Get("Api-Version-Date"))

	r = requestOf(t, whop.WithAPIKey("key-of-the-option"), whop.WithBaseURL("https://option.test"), whop.WithAPIVersion(""))
	assert.Equal(t, "https://option.test/notifications", r.URL.String())
	assert.Equal(t, "Bearer key-of-the-option", r.Header.Get("Authorization"))
	assert.NotContains(t, r.Header, "Api-Version-Date")
}

func sentTo(t *testing.T, opts ...whop.Option) string {
	t.Helper()
	return requestOf(t, append([]whop.Option{whop.WithAPIKey(testKey)}, opts...)...).URL.String()
}

// requestOf sends once and returns the request.
func requestOf(t *testing.T, opts ...whop.Option) (got *http.Request) {
	t.Helper()
	client, err := whop.NewClient(append(opts, inMemory(func(r *http.Request) (*http.Response, error) {
		got = r
		return response(200, queuedBody), nil
	}))...)
	require.NoError(t, err)
	_, err = client.Send(t.Context(), paid)
	require.NoError(t, err)
	return got
}

func TestLastOptionWins(t *testing.T) {
	source := func(context.Context) (string, error) { return "from-the-source", nil }
	r := requestOf(t, whop.WithAPIKey(testKey), whop.WithTokenSource(source))
	assert.Equal(t, "Bearer from-the-source", r.Header.Get("Authorization"))
	r = requestOf(t, whop.WithTokenSource(source), whop.WithAPIKey(testKey))
	assert.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
}

// The caller's http.Client is used and left as it was.
func TestHTTPClientUnchanged(t *testing.T) {
	own := &http.Client{Timeout: 20 * time.Millisecond, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	client := newClient(t, "https://whop.test", whop.WithHTTPClient(own))
	assert.ErrorContains(t, sendError(t, client, paid), "20ms", "its time-out bounds an attempt")
	assert.Nil(t, own.CheckRedirect)
	assert.Nil(t, own.Jar)
}

func TestKeyRedactedFromClient(t *testing.T) {
	client, err := whop.NewClient(whop.WithAPIKey(testKey))
	require.NoError(t, err)
	asJSON, err := json.Marshal(map[string]any{"client": client})
	require.NoError(t, err)
	for _, shown := range []string{
		fmt.Sprintf("%v", client), fmt.Sprintf("%+v", client), fmt.Sprintf("%#v", client), client.String(),
		fmt.Sprintf("%+v", client.API()), fmt.Sprintf("%#v", client.API()), fmt.Sprintf("%#v", whop.WithAPIKey(testKey)),
		string(asJSON),
	} {
		assert.NotContains(t, shown, testKey)
		assert.NotContains(t, shown, "Bearer")
	}
}

func TestRetryPolicyDefaults(t *testing.T) {
	client, err := whop.NewClient(whop.WithAPIKey(testKey), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 7, AtMostOnce: true}))
	require.NoError(t, err)
	assert.Equal(t, whop.RetryPolicy{
		MaxAttempts:   7,
		BaseDelay:     500 * time.Millisecond,
		MaxDelay:      8 * time.Second,
		MaxRetryAfter: time.Minute,
		AtMostOnce:    true,
	}, client.RetryPolicy())
}

func TestConfigErrorsNameOptions(t *testing.T) {
	t.Setenv("WHOP_API_KEY", "")
	_, err := whop.NewClient(whop.WithAttemptTimeout(-1), whop.WithBaseURL("x"),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: -1, BaseDelay: -1}))
	for _, named := range []string{"WithAPIKey", "WithAttemptTimeout", "WithBaseURL", "BaseDelay", "MaxAttempts"} {
		assert.ErrorContains(t, err, named)
	}
}
