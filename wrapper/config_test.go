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

func TestWrongConfigurationFailsInNewClient(t *testing.T) {
	const secret = "apik_very_secret_0123456789"
	key := whop.WithAPIKey(secret)
	base := func(u string) []whop.Option { return []whop.Option{key, whop.WithBaseURL(u)} }
	for _, test := range []struct {
		name string
		env  map[string]string
		opts []whop.Option
		want string
	}{
		{name: "no key", want: "WHOP_API_KEY"},
		{name: "empty key", env: map[string]string{"WHOP_API_KEY": secret}, opts: []whop.Option{whop.WithAPIKey("")}, want: "WithAPIKey"},
		{name: "key with a line break", opts: []whop.Option{whop.WithAPIKey(secret + "\n")}, want: "WithAPIKey: API key has a character"},
		{name: "key with a NUL", opts: []whop.Option{whop.WithAPIKey(secret + "\x00")}, want: "WithAPIKey"},
		{name: "key with a space", opts: []whop.Option{whop.WithAPIKey("Bearer " + secret)}, want: "WithAPIKey"},
		{name: "key not ASCII", opts: []whop.Option{whop.WithAPIKey(secret + "é")}, want: "WithAPIKey"},
		{name: "key of the environment with a line break", env: map[string]string{"WHOP_API_KEY": secret + "\n"}, want: "WHOP_API_KEY"},
		{name: "no token source", opts: []whop.Option{whop.WithTokenSource(nil)}, want: "WithTokenSource"},
		{name: "empty URL", opts: base(""), want: "WithBaseURL"},
		{name: "URL without a scheme", opts: base("api.whop.com/api/v1"), want: "no scheme"},
		{name: "URL without a scheme, with a port", opts: base("127.0.0.1:8080/api/v1"), want: "no scheme"},
		{name: "URL with another scheme", opts: base("ftp://api.whop.com/"), want: "scheme"},
		{name: "URL with credentials", opts: base("https://user:" + secret + "@api.whop.com/"), want: "credentials"},
		{name: "URL with odd credentials", opts: base("https://user:" + secret + " %@api.whop.com/"), want: "not a URL"},
		{name: "URL with a user", opts: base("https://" + secret + "@api.whop.com/"), want: "credentials"},
		{name: "URL with a query", opts: base("https://api.whop.com/?key=" + secret), want: "query"},
		{name: "URL with a fragment", opts: base("https://api.whop.com/#" + secret), want: "fragment"},
		{name: "URL without a host", opts: base("https:///api/v1"), want: "no host"},
		{name: "URL with a control character", opts: base("https://api.whop.com/\x7f" + secret), want: "not a URL"},
		{name: "URL with a port too high", opts: base("https://api.whop.com:70000/"), want: "port"},
		{name: "URL with a port that is none", opts: base("https://api.whop.com:http/"), want: "not a URL"},
		{name: "plain http", opts: base("http://api.whop.com/api/v1"), want: "WithInsecureHTTP"},
		{name: "plain http to a name like loopback", opts: base("http://localhost.example.org/"), want: "WithInsecureHTTP"},
		{name: "URL of the environment", env: map[string]string{"WHOP_BASE_URL": "http://api.whop.com"}, opts: []whop.Option{key}, want: "WHOP_BASE_URL"},
		{name: "version with a line break", opts: []whop.Option{key, whop.WithAPIVersion("2026\n")}, want: "WithAPIVersion"},
		{name: "version of the environment", env: map[string]string{"WHOP_API_VERSION": "2026\n"}, opts: []whop.Option{key}, want: "WHOP_API_VERSION"},
		{name: "no HTTP client", opts: []whop.Option{key, whop.WithHTTPClient(nil)}, want: "WithHTTPClient"},
		{name: "negative HTTP time-out", opts: []whop.Option{key, whop.WithHTTPClient(&http.Client{Timeout: -1})}, want: "WithHTTPClient"},
		{name: "negative time-out", opts: []whop.Option{key, whop.WithAttemptTimeout(-1)}, want: "WithAttemptTimeout"},
		{name: "negative attempts", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: -1})}, want: "MaxAttempts"},
		{name: "negative delay", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: -1})}, want: "BaseDelay"},
		{name: "negative bound", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{MaxDelay: -1})}, want: "MaxDelay"},
		{name: "negative server wait", opts: []whop.Option{key, whop.WithRetryPolicy(whop.RetryPolicy{MaxRetryAfter: -1})}, want: "MaxRetryAfter"},
		{name: "limiter that is a nil pointer", opts: []whop.Option{key, whop.WithLimiter((*rate.Limiter)(nil))}, want: "WithLimiter"},
		{name: "user agent with a line break", opts: []whop.Option{key, whop.WithUserAgent("a\r\nb")}, want: "WithUserAgent"},
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

func TestEverythingWrongIsReportedAtOnce(t *testing.T) {
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

func TestEnvironmentFillsInWhatNoOptionSays(t *testing.T) {
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

// requestOf sends once and gives the request.
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

func TestLastOptionCounts(t *testing.T) {
	source := func(context.Context) (string, error) { return "from-the-source", nil }
	r := requestOf(t, whop.WithAPIKey(testKey), whop.WithTokenSource(source))
	assert.Equal(t, "Bearer from-the-source", r.Header.Get("Authorization"))
	r = requestOf(t, whop.WithTokenSource(source), whop.WithAPIKey(testKey))
	assert.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
}

func TestHTTPClientIsUsedAndLeftAlone(t *testing.T) {
	own := &http.Client{Timeout: 20 * time.Millisecond, Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}
	client := newClient(t, "https://whop.test", whop.WithHTTPClient(own))
	assert.ErrorContains(t, sendError(t, client, paid), "20ms", "its time-out bounds an attempt")
	assert.Nil(t, own.CheckRedirect)
	assert.Nil(t, own.Jar)
}

func TestTheKeyShowsNowhere(t *testing.T) {
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

func TestTheRetryPolicyHasItsDefaults(t *testing.T) {
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

func TestEveryOptionThatIsWrongIsNamed(t *testing.T) {
	t.Setenv("WHOP_API_KEY", "")
	_, err := whop.NewClient(whop.WithAttemptTimeout(-1), whop.WithBaseURL("x"),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: -1, BaseDelay: -1}))
	for _, named := range []string{"WithAPIKey", "WithAttemptTimeout", "WithBaseURL", "BaseDelay", "MaxAttempts"} {
		assert.ErrorContains(t, err, named)
	}
}
