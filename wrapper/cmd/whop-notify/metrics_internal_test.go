package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// watchedStats is a queue that answers as a test wants.
type watchedStats struct {
	stats           queue.Stats
	statsErr, store error
	asked, stored   int
}

func (w *watchedStats) Stats(context.Context) (queue.Stats, error) {
	w.asked++
	return w.stats, w.statsErr
}

func (w *watchedStats) Check(context.Context) error {
	w.stored++
	return w.store
}

// watched is a monitor with a queue, all of whose metrics have been used.
func watched(t *testing.T, q watchedQueue) *monitor {
	t.Helper()
	m := &monitor{metrics: newMetrics("q")}
	m.health = health{ending: t.Context(), metrics: m.metrics}
	m.open(q, true)
	h := newRelayHandler(&scriptedQueue{}, testRelayKey, false, slog.New(slog.DiscardHandler))
	m.watch(h)
	askHandler(h, http.MethodDelete, "", "")
	return m
}

// series are the metrics of ours, as Prometheus gets them.
func series(t *testing.T, m *monitor) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, 200, w.Code)
	text, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	var ours strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "whop_notify_") {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

func TestMetricsFollowThePrometheusConventions(t *testing.T) {
	problems, err := testutil.GatherAndLint(watched(t, &watchedStats{}).registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestAttemptsAreCountedByStatus(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
	}{
		{0, "none"}, {200, "200"}, {202, "202"}, {204, "2xx"}, {307, "3xx"}, {404, "404"}, {410, "410"}, {418, "4xx"}, {429, "429"}, {503, "503"}, {599, "5xx"}, {999, "other"}, {-1, "other"},
	} {
		m := watched(t, &watchedStats{})
		m.attempt(t.Context(), whop.Attempt{StatusCode: test.status, Duration: 2 * time.Second, Waited: 20 * time.Second})
		got := series(t, m)
		require.Contains(t, got, fmt.Sprintf(`whop_notify_attempts_total{code=%q,queue="q"} 1`+"\n", test.code))
		require.Contains(t, got, `whop_notify_attempt_duration_seconds_sum{queue="q"} 2`+"\n")
		require.Contains(t, got, `whop_notify_attempt_wait_seconds_sum{queue="q"} 20`+"\n")
		require.Contains(t, got, `whop_notify_retries_total{queue="q",stage="send"} 0`+"\n")
	}
	m := watched(t, &watchedStats{})
	before := strings.Count(series(t, m), "\n")
	for status := range 1000 {
		m.attempt(t.Context(), whop.Attempt{StatusCode: status, RetryIn: 1})
	}
	got := series(t, m)
	require.Equal(t, before+len([]string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"}), strings.Count(got, "\n"))
	require.Contains(t, got, `whop_notify_retries_total{queue="q",stage="send"} 1000`+"\n")
}

func TestDeliveriesAreCountedByOutcome(t *testing.T) {
	for _, test := range []struct {
		name   string
		event  queue.Event
		series string // that has 1; "": none
	}{
		{"queued", queue.Event{Receipt: &whop.Receipt{}}, `whop_notify_notifications_total{outcome="queued",queue="q"}`},
		{"rejected", queue.Event{Err: errors.New("422"), Dead: true, Outcome: whop.Rejected}, `whop_notify_notifications_total{outcome="rejected",queue="q"}`},
		{"unknown", queue.Event{Err: &whop.SendError{Outcome: whop.Rejected}, Dead: true, Outcome: whop.Unknown}, `whop_notify_notifications_total{outcome="unknown",queue="q"}`},
		{"not sent", queue.Event{Err: errors.New("invalid"), Dead: true, Outcome: whop.NotSent}, `whop_notify_notifications_total{outcome="not_sent",queue="q"}`},
		{"again", queue.Event{Err: &whop.SendError{Attempts: 3}, RetryIn: time.Second}, `whop_notify_retries_total{queue="q",stage="queue"}`},
		{"given back without an attempt", queue.Event{Err: &whop.SendError{}, RetryIn: time.Second}, ""},
		{"the queue's server failed", queue.Event{Err: errors.New("NATS"), RetryIn: time.Second}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := watched(t, &watchedStats{})
			m.event(t.Context(), test.event)
			var grown []string
			for line := range strings.Lines(series(t, m)) {
				if name, one := strings.CutSuffix(line, " 1\n"); one && (strings.HasPrefix(line, "whop_notify_notifications") || strings.HasPrefix(line, "whop_notify_retries")) {
					grown = append(grown, name)
				}
			}
			require.Equal(t, test.series, strings.Join(grown, " "))
		})
	}
}

func TestTheQueueIsReadOncePerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &watchedStats{stats: queue.Stats{Waiting: 1, Retrying: 2, InFlight: 3, Sent: 40, Dead: 5, Oldest: 90 * time.Second, LastSuccess: time.Unix(1_700_000_000, 0)}}
		m := watched(t, q)
		got := series(t, m)
		for _, line := range []string{
			`whop_notify_queue_up{queue="q"} 1`,
			`whop_notify_queue_notifications{queue="q",state="waiting"} 1`,
			`whop_notify_queue_notifications{queue="q",state="retrying"} 2`,
			`whop_notify_queue_notifications{queue="q",state="in_flight"} 3`,
			`whop_notify_queue_notifications{queue="q",state="dead"} 5`,
			`whop_notify_queue_sent_total{queue="q"} 40`,
			`whop_notify_queue_oldest_age_seconds{queue="q"} 90`,
			`whop_notify_queue_last_success_timestamp_seconds{queue="q"} 1.7e+09`,
		} {
			require.Contains(t, got, line+"\n")
		}
		q.stats.Sent = 39 // one is on its way
		require.Equal(t, got, series(t, m))
		require.Equal(t, 1, q.asked)
		time.Sleep(time.Second)
		require.Contains(t, series(t, m), `whop_notify_queue_sent_total{queue="q"} 40`+"\n", "a counter never goes down")
		require.Equal(t, 2, q.asked)
		q.stats = queue.Stats{Sent: 41}
		time.Sleep(time.Second)
		got = series(t, m)
		require.Contains(t, got, `whop_notify_queue_sent_total{queue="q"} 41`+"\n")
		require.Contains(t, got, `whop_notify_queue_last_success_timestamp_seconds{queue="q"} 0`+"\n")

		q.statsErr = errors.New("away")
		time.Sleep(time.Second)
		got = series(t, m)
		require.Contains(t, got, `whop_notify_queue_up{queue="q"} 0`+"\n")
		require.Equal(t, 1, strings.Count(got, "whop_notify_queue_"), "what was read before is not shown as of now")
		require.Zero(t, q.stored, "a scrape stores nothing")
	})
}

// Each answer of a relay is counted under a result whose series was there before, at 0.
func TestRequestsAreCountedByResult(t *testing.T) {
	const narrowed = `{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1"]}`
	q := &scriptedQueue{find: func(key string) (queue.Found, error) {
		return queue.Found{}, map[string]error{"unknown": queue.ErrUnknownKey, "away": errors.New("no answer")}[key]
	}}
	h := newRelayHandler(q, testRelayKey, true, slog.New(slog.DiscardHandler))
	ask := func(method, path, body string, header http.Header) int {
		r := httptest.NewRequest(method, relayPath+path, strings.NewReader(body))
		r.Header = http.Header{"Authorization": {"Bearer " + testRelayKey}, "Content-Type": {"application/json"}, keyHeader: {"k"}}
		maps.Copy(r.Header, header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	enqueue := func(duplicate bool, err error) func() {
		return func() {
			q.enqueue = func(context.Context, whop.Notification) (queue.Ticket, error) {
				return queue.Ticket{IdempotencyKey: "k", Duplicate: duplicate}, err
			}
		}
	}
	var covered []string
	for _, test := range []struct {
		result             string
		before             func()
		method, path, body string
		header             http.Header
	}{
		{result: "accepted", before: enqueue(false, nil), body: narrowed},
		{result: "replayed", before: enqueue(true, nil), body: narrowed},
		{result: "mismatch", before: enqueue(false, fmt.Errorf("%w: %w", queue.ErrNotEnqueued, whop.ErrIdempotencyMismatch)), body: narrowed},
		{result: "in_progress", body: narrowed, before: func() {
			q.enqueue = func(context.Context, whop.Notification) (queue.Ticket, error) {
				ask(http.MethodPost, "", narrowed, nil) // while the first is being stored
				return queue.Ticket{IdempotencyKey: "k"}, nil
			}
		}},
		{result: "found", method: http.MethodGet, path: "/k"},
		{result: "unknown_key", method: http.MethodGet, path: "/unknown"},
		{result: "unavailable", method: http.MethodGet, path: "/away"},
		{result: "unauthorized", header: http.Header{"Authorization": nil}, body: narrowed},
		{result: "path", path: "s", body: narrowed},
		{result: "method", method: http.MethodDelete},
		{result: "media_type", header: http.Header{"Content-Type": nil}, body: narrowed},
		{result: "too_large", body: strings.Repeat(" ", 9<<20)},
		{result: "invalid", body: `{}`},
		{result: "broadcast", body: `{"company_id":"biz_1","title":"T","content":"C"}`},
	} {
		m := &monitor{metrics: newMetrics("q")}
		m.watch(h)
		before := strings.Count(series(t, m), "relay_requests_total")
		if test.before != nil {
			test.before()
		}
		code := ask(cmp.Or(test.method, http.MethodPost), test.path, test.body, test.header)
		got := series(t, m)
		require.Contains(t, got, fmt.Sprintf(`whop_notify_relay_requests_total{queue="q",result=%q} 1`+"\n", test.result))
		require.Contains(t, got, fmt.Sprintf(`whop_notify_relay_request_duration_seconds_count{code="%d",queue="q"} 1`+"\n", code))
		require.Equal(t, before, strings.Count(got, "relay_requests_total"))
		covered = append(covered, test.result)
	}
	require.ElementsMatch(t, requestResults, covered)
}
