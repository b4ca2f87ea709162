package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// scriptedQueue answers as a test wants.
type scriptedQueue struct {
	enqueue func(context.Context, whop.Notification) (queue.Ticket, error)
	find    func(key string) (queue.Found, error)
}

func (q *scriptedQueue) Enqueue(ctx context.Context, n whop.Notification, _ ...queue.EnqueueOption) (queue.Ticket, error) {
	return q.enqueue(ctx, n)
}

func (q *scriptedQueue) Find(_ context.Context, key string) (queue.Found, error) { return q.find(key) }

const (
	testRelayKey  = "sixteen-bytes-16"
	testRelayBody = `{"company_id":"biz_1","title":"T","content":"C"}`
)

func askHandler(h http.Handler, method, path, key string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, relayPath+path, strings.NewReader(testRelayBody))
	if key != "" {
		r.Header.Set(keyHeader, key)
	}
	return serveHandler(h, r)
}

// askHandlerWith posts a body of unknown length.
func askHandlerWith(h http.Handler, body io.Reader) *httptest.ResponseRecorder {
	return serveHandler(h, httptest.NewRequest(http.MethodPost, relayPath, body))
}

func serveHandler(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Authorization", "Bearer "+testRelayKey)
	r.Header.Set("Content-Type", "application/json; charset=UTF-8")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRelayTellsWhatTheQueueSays(t *testing.T) {
	for _, test := range []struct {
		name, key   string
		ticket      queue.Ticket
		err         error
		status      int
		reason      string
		body        string
		answeredKey string
		retryAfter  string
	}{
		{name: "stored", ticket: queue.Ticket{IdempotencyKey: "made"}, status: 200, reason: "accepted", body: `{"success":true}`, answeredKey: "made"},
		{name: "came before", key: "k", ticket: queue.Ticket{IdempotencyKey: "k", Duplicate: true, State: queue.Dead}, status: 200, reason: "replayed", body: `{"success":true}`, answeredKey: "k"},
		{
			name: "another one came", key: "k", err: fmt.Errorf("%w: %w", queue.ErrNotEnqueued, whop.ErrIdempotencyMismatch),
			status: 400, reason: "mismatch", body: `"code":"idempotency_key_mismatch"`,
		},
		{name: "too large", err: fmt.Errorf("%w: %w", queue.ErrNotEnqueued, nats.ErrMaxPayload), status: 413, reason: "too_large", body: `too large`},
		{name: "disk full", err: fmt.Errorf("%w: no space", queue.ErrNotEnqueued), status: 503, reason: "unavailable", body: `was not taken`, retryAfter: "2"},
		{
			name: "in doubt, with a key", key: "k", ticket: queue.Ticket{IdempotencyKey: "k"}, err: errors.New("no answer"),
			status: 503, reason: "unavailable", body: `A repeat under the same Idempotency-Key is safe`, retryAfter: "2",
		},
		{
			name: "in doubt, without", ticket: queue.Ticket{IdempotencyKey: "made"}, err: errors.New("no answer"),
			status: 503, reason: "unavailable", body: `A repeat is safe under the Idempotency-Key of this answer`, answeredKey: "made", retryAfter: "2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := &scriptedQueue{enqueue: func(ctx context.Context, n whop.Notification) (queue.Ticket, error) {
				_, bounded := ctx.Deadline()
				require.True(t, bounded)
				require.Equal(t, test.key, n.IdempotencyKey(), "the queue makes a key where the caller has none")
				return test.ticket, test.err
			}}
			h := newRelayHandler(q, testRelayKey, false, slog.New(slog.DiscardHandler))
			var counted []string
			h.counted = func(status int, reason string, _ time.Duration) {
				counted = append(counted, fmt.Sprint(status, " ", reason))
			}
			w := askHandler(h, http.MethodPost, "", test.key)
			require.Equal(t, test.status, w.Code)
			require.Contains(t, w.Body.String(), test.body)
			require.NotContains(t, w.Body.String(), "no space", "what NATS says is for the log")
			require.Equal(t, test.answeredKey, w.Header().Get(keyHeader))
			require.Equal(t, test.retryAfter, w.Header().Get("Retry-After"))
			require.Equal(t, []string{fmt.Sprint(test.status, " ", test.reason)}, counted)
		})
	}
}

// Large bodies wait for one another, small ones for none.
func TestRelayBoundsLargeBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &scriptedQueue{enqueue: func(context.Context, whop.Notification) (queue.Ticket, error) {
			return queue.Ticket{IdempotencyKey: "k"}, nil
		}}
		h := newRelayHandler(q, testRelayKey, false, slog.New(slog.DiscardHandler))
		large := func() (end func() int) {
			body, client := io.Pipe()
			status := make(chan int, 1)
			go func() { status <- askHandlerWith(h, body).Code }()
			return func() int {
				go func() {
					_, _ = io.WriteString(client, testRelayBody)
					_ = client.Close()
				}()
				return <-status
			}
		}
		var ends []func() int
		for range relayLargeBodies {
			ends = append(ends, large())
		}
		synctest.Wait()
		require.Equal(t, 200, askHandler(h, http.MethodPost, "", "").Code, "a small one")

		start := time.Now()
		w := askHandlerWith(h, io.MultiReader(strings.NewReader(testRelayBody)))
		require.Equal(t, 503, w.Code)
		require.Contains(t, w.Body.String(), "This one was not read")
		require.Equal(t, "2", w.Header().Get("Retry-After"))
		require.Equal(t, relayStoreTime, time.Since(start))

		waiting := large()
		synctest.Wait()
		for _, end := range append(ends, waiting) {
			require.Equal(t, 200, end())
		}
		require.Empty(t, h.large)
	})
}

// While the first request under a key is stored, another one is in its way; then the key is
// free for the queue to judge.
func TestRelayHasOneRequestOfAKeyAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stored := make(chan struct{})
		q := &scriptedQueue{enqueue: func(ctx context.Context, _ whop.Notification) (queue.Ticket, error) {
			select {
			case <-stored:
				return queue.Ticket{IdempotencyKey: "k"}, nil
			case <-ctx.Done():
				return queue.Ticket{}, ctx.Err()
			}
		}}
		h := newRelayHandler(q, testRelayKey, false, slog.New(slog.DiscardHandler))
		first := make(chan int, 1)
		go func() { first <- askHandler(h, http.MethodPost, "", "k").Code }()
		synctest.Wait()
		w := askHandler(h, http.MethodPost, "", "k")
		require.Equal(t, 409, w.Code)
		require.Contains(t, w.Body.String(), `"code":"idempotency_request_in_progress"`)
		close(stored)
		require.Equal(t, 200, <-first)
		require.Equal(t, 200, askHandler(h, http.MethodPost, "", "k").Code)
	})
}

func TestRelayTellsWhatBecame(t *testing.T) {
	at := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		found  queue.Found
		err    error
		status int
		body   string
	}{
		{name: "waiting", found: queue.Found{EnqueuedAt: at}, status: 200, body: `{"idempotency_key":"a/b%","state":"waiting","attempts":0,"enqueued_at":"2026-10-01T12:00:00Z"}`},
		{name: "retrying", found: queue.Found{EnqueuedAt: at, Retrying: true, Deliveries: 2, Reason: "503"}, status: 200, body: `{"idempotency_key":"a/b%","state":"retrying","attempts":2,"reason":"503","enqueued_at":"2026-10-01T12:00:00Z"}`},
		{name: "queued", found: queue.Found{EnqueuedAt: at, State: queue.Sent}, status: 200, body: `{"idempotency_key":"a/b%","state":"queued","attempts":1,"enqueued_at":"2026-10-01T12:00:00Z"}`},
		{name: "dead", found: queue.Found{EnqueuedAt: at, State: queue.Dead, Deliveries: 1, Outcome: whop.Rejected, Reason: "422"}, status: 200, body: `{"idempotency_key":"a/b%","state":"dead","attempts":1,"outcome":"rejected","reason":"422","enqueued_at":"2026-10-01T12:00:00Z"}`},
		{name: "canceled", found: queue.Found{EnqueuedAt: at, State: queue.Canceled}, status: 404},
		{name: "unknown", err: queue.ErrUnknownKey, status: 404},
		{name: "no answer", err: errors.New("no answer"), status: 503},
	} {
		t.Run(test.name, func(t *testing.T) {
			q := &scriptedQueue{find: func(key string) (queue.Found, error) {
				require.Equal(t, "a/b%", key)
				return test.found, test.err
			}}
			w := askHandler(newRelayHandler(q, testRelayKey, false, slog.New(slog.DiscardHandler)), http.MethodGet, "/a/b%25", "")
			require.Equal(t, test.status, w.Code)
			if test.body != "" {
				require.Equal(t, test.body, w.Body.String())
			}
		})
	}
}

// What the relay accepts can be sent, to whom the request says; what it refuses names no field
// of the other contract.
func FuzzRelayBody(f *testing.F) {
	for _, body := range []string{
		`{"company_id":"biz_1","title":"T","content":"C"}`, `{"account_id":"biz_1","title":"T","content":"C"}`,
		`{"experience_id":"exp_1","title":"T","content":"C","user_ids":["u"]}`, `{"company_id":"biz_1","company_id":null}`, `[]`, `null`, `{`, "\xff",
	} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, noBroadcast bool) {
		for _, c := range []*relayContract{relayVendored, relayCurrent} {
			n, fault := c.parse(body, noBroadcast)
			if fault != nil {
				require.Equal(t, 400, fault.status)
				require.NotEmpty(t, fault.message)
				if fault.param == c.foreign {
					var fields map[string]json.RawMessage
					require.NoError(t, json.Unmarshal(body, &fields))
					require.Contains(t, fields, c.foreign)
				}
				continue
			}
			encoded, err := n.MarshalJSON()
			require.NoError(t, err)
			require.False(t, noBroadcast && toEverybody(encoded))
		}
	})
}
