package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// A relay is killed again and again while clients repeat, under its key, what got no answer.
// Each notification goes out once.
func TestRelayThatIsKilled(t *testing.T) {
	t.Parallel()
	n, alive := 300, 400*time.Millisecond
	if soaking() {
		n, alive = 3000, time.Second
	}
	const clients, pause = 8, 40 * time.Millisecond // so that it takes some kills
	server := whoptest.NewServer(t)
	args := []string{"--state", filepath.Join(t.TempDir(), "relay"), "--rate-limit", "0"}
	p, base := relay(t, environment(server), args...)
	var at atomic.Pointer[string]
	at.Store(&base)

	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var next, repeats atomic.Int64
	var all sync.WaitGroup
	done := make(chan struct{})
	for range clients {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n) && t.Context().Err() == nil; i = next.Add(1) {
				for postOnce(t.Context(), client, *at.Load(), fmt.Sprintf("k-%d", i)) != nil && t.Context().Err() == nil {
					repeats.Add(1)
					time.Sleep(pause)
				}
				time.Sleep(pause)
			}
		})
	}
	go func() { all.Wait(); close(done) }()
	kills := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(alive):
			p.kill()
			kills++
			var base string
			p, base = relay(t, environment(server), args...)
			at.Store(&base)
		}
	}
	sent := func() map[string]int {
		sent := map[string]int{}
		for _, r := range server.Queued() {
			sent[r.IdempotencyKey]++
		}
		return sent
	}
	require.Eventually(t, func() bool { return len(sent()) == n }, 2*patience, 50*time.Millisecond)
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	for key, times := range sent() {
		require.Equal(t, 1, times, key)
	}
	require.Positive(t, kills)
	t.Logf("%d notifications, %d kills, %d requests repeated", n, kills, repeats.Load())
}

// postOnce fails if there was no success.
func postOnce(ctx context.Context, client *http.Client, base, key string) error {
	body := fmt.Sprintf(`{"company_id":"biz_1","title":%q,"content":"C"}`, key)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/notifications", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+relayKey)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		return errors.Join(err, errors.New(resp.Status))
	}
	return nil
}
