package wrapper_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// hostile is text that forges log lines, moves a cursor and turns the direction of writing.
const hostile = "a\r\n2026 ERROR forged\x1b[2J\u0085\u2028\u2029\u202eright to left\u2066\u200f\x00z"

// requireHarmless holds a text against what may reach a log or a terminal.
func requireHarmless(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		require.True(t, unicode.IsGraphic(r), "%q in %q", r, text)
	}
	require.LessOrEqual(t, len(text), 5<<10)
}

// Whatever the peer had a hand in, its text is on one line, without control characters, and
// bounded, in errors, log lines and what an observer sees.
func TestPeerText(t *testing.T) {
	flood := strings.Repeat(hostile, 10_000)
	quoted, err := json.Marshal(hostile)
	require.NoError(t, err)
	envelope := fmt.Sprintf(`{"error":{"type":%s,"code":%s,"message":%s,"param":%s}}`, quoted, quoted, quoted, quoted)
	type peer func(*testing.T) (baseURL string, transport http.RoundTripper)
	answers := func(answer func() (*http.Response, error)) peer {
		return func(*testing.T) (string, http.RoundTripper) {
			return "https://whop.test", inTurn(answer, answer, answer)
		}
	}
	for _, test := range []struct {
		name string
		peer peer
	}{
		{"envelope", answers(with(400, envelope))},
		{"body", answers(with(400, hostile))},
		{"flood", answers(with(503, flood))},
		{"request id", answers(with(400, "", "X-Request-Id", hostile))},
		{"long request id", answers(with(400, "", "X-Request-Id", flood))},
		{"location", answers(with(302, "", "Location", hostile))},
		{"error of the transport", answers(func() (*http.Response, error) { return nil, errors.New(flood) })},
		{"error of the body", answers(func() (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(errorReader{errors.New(flood)})}, nil
		})},
		{"certificate for other names", func(t *testing.T) (string, http.RoundTripper) { return certified(t, true) }},
		{"certificate of a stranger", func(t *testing.T) (string, http.RoundTripper) { return certified(t, false) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Value.Kind() == slog.KindString {
					requireHarmless(t, a.Value.String())
				}
				return a
			}}))
			var observed []whop.Attempt
			url, transport := test.peer(t)
			client := newClient(t, url, whop.WithHTTPClient(&http.Client{Transport: transport}), whop.WithLogger(logger),
				whop.WithObserver(func(_ context.Context, a whop.Attempt) { observed = append(observed, a) }))
			failure := sendError(t, client, paid)
			logger.Error("not notified", "error", failure)
			requireHarmless(t, failure.Error())
			requireHarmless(t, failure.Err.Error())
			for _, attempt := range observed {
				requireHarmless(t, attempt.Err.Error())
			}
			if api, ok := errors.AsType[*whop.APIError](error(failure)); ok {
				requireHarmless(t, api.Error())
				requireHarmless(t, api.RequestID)
				logger.Error("answered", "error", api)
			}
		})
	}

	t.Run("receipt", func(t *testing.T) {
		receipt, err := newClient(t, "https://whop.test", inMemory(inTurn(with(200, queuedBody, "X-Request-Id", flood)))).Send(t.Context(), paid)
		require.NoError(t, err)
		requireHarmless(t, receipt.RequestID)
	})
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// certified starts a TLS server whose certificate is for thousands of hostile names, and
// returns a transport that trusts it or not.
func certified(t *testing.T, trusted bool) (baseURL string, transport http.RoundTripper) {
	t.Helper()
	var names []string
	for i := range 2000 {
		names = append(names, fmt.Sprintf("%d\r\n2026 ERROR forged\x1b[2J", i))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: hostile, Organization: []string{hostile}},
		NotAfter: time.Now().Add(time.Hour), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = quiet
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	if trusted {
		pool.AddCert(parsed)
	}
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1), &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
}

// An error keeps little of a large answer.
func TestErrorSize(t *testing.T) {
	header := []string{"X-Request-Id", "req_1", "Retry-After", "0"}
	for i := range 200 {
		header = append(header, fmt.Sprintf("X-Filler-%03d", i), strings.Repeat("x", 40<<10))
	}
	const kept = 10
	errs := make([]error, kept)
	before := heapInUse()
	for i := range errs {
		answer := with(400, `{"error":{"message":"`+strings.Repeat("long ", 200_000)+`"}}`, header...)
		errs[i] = sendError(t, newClient(t, "https://whop.test", inMemory(inTurn(answer))), paid)
	}
	grown := heapInUse() - before
	assert.Less(t, grown, int64(kept*(128<<10)), "bytes for %d errors", kept)

	api, ok := errors.AsType[*whop.APIError](errs[0])
	require.True(t, ok)
	size := 0
	for name, values := range api.Header {
		size += len(name) + len(strings.Join(values, ""))
	}
	assert.LessOrEqual(t, size, 64<<10)
	assert.Equal(t, "req_1", api.Header.Get("X-Request-Id"))
	assert.LessOrEqual(t, len(api.Body), 4<<10)
	runtime.KeepAlive(errs)
}

// Nor does an error hold what was no answer at all.
func TestErrorSizeNoAnswer(t *testing.T) {
	junk := strings.Repeat("A", 900<<10)
	for name, raw := range map[string]string{
		"status line":  "HTTP/1.1 " + junk + "\r\n\r\n",
		"header line":  "HTTP/1.1 200 OK\r\n" + junk + "\r\n\r\n",
		"many headers": "HTTP/1.1 403 Forbidden\r\n" + strings.Repeat("A: b\r\n", 50_000) + "Content-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, rawServer(t, say(raw)), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
			const kept = 10
			errs := make([]error, kept)
			before := heapInUse()
			for i := range errs {
				errs[i] = sendError(t, client, paid)
			}
			client.CloseIdleConnections()
			assert.Less(t, heapInUse()-before, int64(kept*(200<<10)), "bytes for %d errors", kept)
			runtime.KeepAlive(errs)
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// The key that a peer sends back shows nowhere, however it is spelled.
func TestKeyRedactedInAnySpelling(t *testing.T) {
	var escaped, percent strings.Builder
	for _, b := range []byte(testKey) {
		fmt.Fprintf(&escaped, `\u%04X`, b)
		fmt.Fprintf(&percent, "%%%02x", b)
	}
	name := http.CanonicalHeaderKey("x-" + strings.ReplaceAll(testKey, "_", "-"))
	require.NotContains(t, name, testKey)
	for _, test := range []struct {
		name   string
		answer func() (*http.Response, error)
	}{
		{"JSON escapes", with(400, `{"error":{"message":"`+escaped.String()+`"}}`)},
		{"some JSON escapes", with(400, `{"error":{"message":"\u0061`+testKey[1:]+`"}}`)},
		{"JSON escapes, not whole", with(400, `{"error":{"message":"`+escaped.String())},
		{"escaped twice", with(400, `{"error":{"message":"`+strings.ReplaceAll(escaped.String(), `\`, `\\`)+`"}}`)},
		{"URL", with(302, "", "Location", "https://whop.test/?key="+percent.String())},
		{"name of a header", with(400, "", http.CanonicalHeaderKey(testKey), "1")},
		{"upper case", with(400, strings.ToUpper(testKey))},
		{"request id", with(400, "", "Cf-Ray", "ray-"+testKey)},
	} {
		t.Run(test.name, func(t *testing.T) {
			failure, api := apiError(t, test.answer)
			for _, shown := range []string{failure.Error(), api.Error(), string(api.Body), fmt.Sprintf("%#v", api), fmt.Sprint(api.Header), api.LogValue().String()} {
				for _, key := range []string{testKey, escaped.String(), percent.String()} {
					assert.NotContains(t, strings.ToLower(shown), strings.ToLower(key))
				}
			}
			assert.Contains(t, fmt.Sprint(failure, string(api.Body), api.Header), "[redacted]")
		})
	}

	receipt, err := newClient(t, "https://whop.test", inMemory(inTurn(with(200, queuedBody, "X-Request-Id", "id-"+testKey)))).Send(t.Context(), paid)
	require.NoError(t, err)
	assert.Equal(t, "id-[redacted]", receipt.RequestID)
}

// The Authorization that a request through API brings is a key as well.
func TestEditorsKeyRedacted(t *testing.T) {
	const editors = "apik_of_the_editor_0123456789"
	var log bytes.Buffer
	var observed []whop.Attempt
	client := newClient(t, "https://whop.test",
		whop.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		whop.WithObserver(func(_ context.Context, a whop.Attempt) { observed = append(observed, a) }),
		inMemory(inTurn(with(503, "you sent "+editors), func() (*http.Response, error) { return nil, errors.New("you sent " + editors) },
			with(503, "you sent "+editors))))
	for _, scheme := range []string{"Bearer ", "Basic ", ""} {
		resp, err := client.API().CreateNotificationWithBody(t.Context(), "application/json", strings.NewReader(toCompanyBody),
			func(_ context.Context, r *http.Request) error {
				r.Header.Set("Authorization", scheme+editors)
				return nil
			})
		require.NoError(t, err)
		resp.Body.Close()
	}
	require.NotEmpty(t, observed)
	assert.NotContains(t, fmt.Sprint(observed), editors)
	assert.NotContains(t, log.String(), editors)
	assert.Contains(t, log.String(), "[redacted]")
}

// An error is one line, also of a notification with several faults.
func TestInvalidIsOneLine(t *testing.T) {
	failure := sendError(t, newClient(t, "https://whop.test"), whop.ToCompany("", whop.Message{RestPath: strings.Repeat("x", 10_000)}))
	assert.NotContains(t, failure.Error(), "\n")
	assert.LessOrEqual(t, len(failure.Error()), 4<<10)
}
