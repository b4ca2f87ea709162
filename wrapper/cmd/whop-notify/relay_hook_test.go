package main_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const hookSecret = "a-secret-for-hooks"

// hook is a program that is told of dead letters.
type hook struct {
	*httptest.Server
	mu      sync.Mutex
	answers []func(http.ResponseWriter) // to the next requests; then 204
	ids     []string                    // of each request
	told    map[string]int              // by idempotency key, what it answered with 2xx
}

func newHook(t *testing.T, answers ...func(http.ResponseWriter)) *hook {
	h := &hook{answers: answers, told: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		id, at := r.Header.Get("Webhook-Id"), r.Header.Get("Webhook-Timestamp")
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write([]byte(id + "." + at + "." + string(body)))
		if r.Header.Get("Webhook-Signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("not signed: %v", r.Header)
		}
		var event struct {
			Type string
			Data struct {
				Key                    string `json:"idempotency_key"`
				State, Outcome, Reason string
				Attempts               int
				EnqueuedAt             time.Time `json:"enqueued_at"`
				DeadLetter             int       `json:"dead_letter"`
			}
		}
		if json.Unmarshal(body, &event) != nil || event.Type != "notification.dead" || event.Data.State != "dead" || event.Data.Outcome != "rejected" ||
			event.Data.Attempts != 1 || event.Data.DeadLetter == 0 || event.Data.EnqueuedAt.IsZero() || !strings.Contains(event.Data.Reason, "Verify first.") {
			t.Errorf("told %s", body)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.ids = append(h.ids, id)
		if len(h.answers) > 0 {
			answer := h.answers[0]
			h.answers = h.answers[1:]
			answer(w)
			return
		}
		h.told[event.Data.Key]++
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) has(keys ...string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if h.told[key] == 0 {
			return false
		}
	}
	return true
}

// Who is told of dead letters hears of each, signed, though it failed first or the relay was
// killed; what goes out meanwhile does not wait for it.
func TestRelayTellsOfDeadLetters(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		if strings.HasPrefix(r.IdempotencyKey, "bad") {
			return whoptest.Error(422, "", "Verify first.")
		}
		return whoptest.Serve()
	})
	h := newHook(t,
		func(w http.ResponseWriter) { w.WriteHeader(500) },
		func(w http.ResponseWriter) { w.Header().Set("Location", "/elsewhere"); w.WriteHeader(307) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte(hookSecret+"\n"), 0o600))
	args := []string{"--state", filepath.Join(dir, "relay"), "--rate-limit", "0", "--on-dead", h.URL + "/hook?token=t0ken", "--on-dead-secret-file", secret}
	p, base := relay(t, environment(server), args...)
	post := func(key string) {
		t.Helper()
		require.Equal(t, 200, ask(t, base, request{body: toCompany, header: map[string]string{"Idempotency-Key": key}}).status)
	}
	post("bad-1")
	post("good")
	require.Eventually(t, func() bool { return len(server.Queued()) == 1 }, patience, 10*time.Millisecond)
	require.Eventually(t, func() bool { return h.has("bad-1") }, patience, 10*time.Millisecond)
	h.mu.Lock()
	require.Len(t, h.ids, 4)
	for _, id := range h.ids {
		require.Equal(t, h.ids[0], id)
	}
	h.answers = []func(http.ResponseWriter){func(http.ResponseWriter) { p.kill() }}
	h.mu.Unlock()
	require.Equal(t, 1, strings.Count(p.stderr.String(), "--on-dead could not be told"), "once a minute")
	post("bad-2")
	require.Eventually(t, func() bool { h.mu.Lock(); defer h.mu.Unlock(); return len(h.answers) == 0 }, patience, 10*time.Millisecond)

	p2, base2 := relay(t, environment(server), args...)
	base = base2
	post("bad-3")
	require.Eventually(t, func() bool { return h.has("bad-2", "bad-3") }, patience, 10*time.Millisecond)
	require.LessOrEqual(t, h.told["bad-1"], 2, "again only where its acknowledgement died with the process")
	p2.signal(syscall.SIGTERM)
	f := p2.finish()
	require.Zero(t, f.code, f.stderr)
	for _, log := range []string{p.stderr.String(), f.stderr} {
		require.NotContains(t, log, "t0ken")
		require.NotContains(t, log, hookSecret)
	}
}
