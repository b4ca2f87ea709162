package whoptest_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestScriptOrder(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(500, "", "1"), whoptest.Serve())
	server.Script(whoptest.Error(502, "", "3"))
	server.Script()
	var got []int
	for range 5 {
		got = append(got, exchange{body: toCompany}.do(t, server).status)
	}
	assert.Equal(t, []int{500, 200, 502, 200, 200}, got)
	assert.Len(t, server.Queued(), 3)
}

func TestScriptFunc(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(500, "", "scripted"))
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		if strings.HasPrefix(r.IdempotencyKey, "bad") {
			return whoptest.Error(503, "", r.IdempotencyKey)
		}
		return whoptest.Serve()
	})
	assert.Equal(t, 500, exchange{body: toCompany, header: keyed("good")}.do(t, server).status)
	assert.Equal(t, 200, exchange{body: toCompany, header: keyed("good")}.do(t, server).status)
	assert.Equal(t, 503, exchange{body: toCompany, header: keyed("bad-1")}.do(t, server).status)
	server.ScriptFunc(nil)
	assert.Equal(t, 200, exchange{body: toCompany, header: keyed("bad-1")}.do(t, server).status)
}

// recorder is the testing.TB of somebody else's test.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) end() {
	for i := len(r.cleanups) - 1; i >= 0; i-- {
		r.cleanups[i]()
	}
}

func TestUnusedReplies(t *testing.T) {
	users := &recorder{TB: t}
	server := whoptest.NewServer(users)
	server.Script(whoptest.Error(500, "", "used"), whoptest.Truncate(), whoptest.Reset().AfterQueueing())
	require.Equal(t, 500, exchange{body: toCompany}.do(t, server).status)
	require.Empty(t, users.errors)
	users.end()
	require.Len(t, users.errors, 1)
	assert.Contains(t, users.errors[0], "2 scripted replies were never used")
	assert.Contains(t, users.errors[0], "Truncate")
	assert.Contains(t, users.errors[0], "Reset after queueing")

	users = &recorder{TB: t}
	server = whoptest.NewServer(users)
	server.Script(whoptest.Error(500, "", "used"))
	require.Equal(t, 500, exchange{body: toCompany}.do(t, server).status)
	users.end()
	assert.Empty(t, users.errors)
	_, err := newHTTP(t).Do(exchange{body: toCompany}.request(t, server))
	assert.Error(t, err, "closed by the test's clean-up")
}

func TestLog(t *testing.T) {
	server := whoptest.NewServer(t)
	var log bytes.Buffer
	server.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	server.Script(whoptest.Serve(), whoptest.Truncate(), whoptest.Serve())
	exchange{body: toCompany, header: keyed("order-1")}.do(t, server)
	require.Error(t, readAnswer(newHTTP(t), exchange{body: toCompany}.request(t, server)))
	exchange{body: `{}`}.do(t, server)
	server.Close()

	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 3, "a line for each, however it ended")
	for _, part := range []string{"method=POST", "path=/api/v1/notifications", "status=200", "idempotency_key=order-1"} {
		assert.Contains(t, lines[0], part)
	}
	assert.NotContains(t, lines[0], "reason=")
	assert.Contains(t, lines[1], "reply=Truncate")
	assert.Contains(t, lines[2], `status=400 idempotency_key="" reason="Missing required parameter: one of company_id and experience_id."`)
	assert.NotContains(t, log.String(), server.APIKey())
}

// New returns a handler for your own server, for example with TLS and HTTP/2.
func TestMountedOverHTTP2(t *testing.T) {
	server, err := whoptest.New()
	require.NoError(t, err)
	assert.Empty(t, server.URL())
	mounted := httptest.NewUnstartedServer(server)
	mounted.EnableHTTP2 = true
	mounted.StartTLS()
	t.Cleanup(mounted.Close)
	t.Cleanup(server.Close)
	post := func() (*http.Response, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, mounted.URL+"/api/v1/notifications", strings.NewReader(toCompany))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+server.APIKey())
		r.Header.Set("Content-Type", "application/json")
		return mounted.Client().Do(r)
	}

	faults := []whoptest.Reply{
		whoptest.Reset(),
		whoptest.Reset().AfterQueueing(),
		whoptest.Garbage([]byte("x")),
		whoptest.Garbage([]byte("x")).AfterQueueing(),
	}
	server.Script(faults...)
	for _, fault := range faults {
		_, err := post()
		require.ErrorContains(t, err, "stream error", fault.String())
	}
	assert.Len(t, server.Queued(), 2)
	resp, err := post()
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 2, resp.ProtoMajor)
	assert.Equal(t, 200, resp.StatusCode)
}

func TestStartAddressTaken(t *testing.T) {
	server := whoptest.NewServer(t)
	_, err := whoptest.Start(strings.TrimSuffix(strings.TrimPrefix(server.URL(), "http://"), "/api/v1"))
	require.Error(t, err)
}

func TestConcurrentUse(t *testing.T) {
	server := whoptest.NewServer(t)
	var everybody sync.WaitGroup
	for i := range 8 {
		everybody.Go(func() {
			client := newHTTP(t)
			for range 20 {
				resp, err := client.Do(exchange{body: toCompany, header: keyed(fmt.Sprint("order-", i))}.request(t, server))
				if assert.NoError(t, err) {
					resp.Body.Close()
				}
				server.SetClock(time.Now)
				server.SetLogger(slog.New(slog.DiscardHandler))
				server.Requests()
			}
		})
	}
	everybody.Wait()
	assert.Len(t, server.Queued(), 8)
	assert.Len(t, server.Requests(), 160)
}
