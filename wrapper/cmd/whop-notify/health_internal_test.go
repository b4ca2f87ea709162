package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// probe is what a supervisor gets.
func probe(m *monitor, path string) (int, string) {
	w := httptest.NewRecorder()
	m.handler(nil).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestReady(t *testing.T) {
	waiting := queue.Stats{Waiting: 7, Oldest: stuckAfter}
	for _, test := range []struct {
		name     string
		store    error
		stats    queue.Stats
		statsErr error
		opening  bool          // the queue is not open yet
		noWork   bool          // others send from it
		lives    time.Duration // how long the queue has been open
		attempt  time.Duration // how long ago; 0: there was none
		success  time.Duration // of any process, how long ago; 0: there was none
		ending   bool
		says     string // "": it is ready
	}{
		{name: "nothing waits", lives: time.Hour},
		{name: "starting", opening: true, says: "starting: the queue is not open yet; if this lasts, the log says why\n"},
		{name: "ending", ending: true, says: "ending: it takes no more, and finishes what is in flight\n"},
		{
			name: "disk full", store: errors.New("no space\x1b[2J\nleft"),
			says: "the queue cannot store: see that NATS runs and can be reached, and that its disk has room: no space [2J left\n",
		},
		{name: "no answer", statsErr: errors.New("timeout"), says: "the queue does not answer: see that NATS runs and can be reached: timeout\n"},
		{
			name: "stuck from the start", stats: waiting, lives: stuckAfter,
			says: "nothing moves: 7 notifications wait, the oldest for 15m0s, and this process has made no attempt for 15m0s; keep its log, and start it again\n",
		},
		{
			name: "stuck", stats: waiting, lives: time.Hour, attempt: 20 * time.Minute, success: 20 * time.Minute,
			says: "nothing moves: 7 notifications wait, the oldest for 15m0s, and this process has made no attempt for 20m0s; keep its log, and start it again\n",
		},
		{name: "open for a moment", stats: waiting, lives: stuckAfter - time.Second},
		{name: "Whop refuses all", stats: waiting, lives: time.Hour, attempt: time.Minute, success: 30 * time.Minute},
		{name: "others have the whole rate limit", stats: waiting, lives: time.Hour, attempt: 30 * time.Minute, success: time.Minute},
		{name: "the first of a quiet hour", stats: queue.Stats{Waiting: 1, Oldest: time.Minute}, lives: time.Hour},
		{name: "all wait for their next try", stats: queue.Stats{Retrying: 7, Oldest: time.Hour}, lives: time.Hour},
		{name: "it only takes in", stats: waiting, noWork: true, lives: time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(t.Context())
				defer end()
				m := &monitor{metrics: newMetrics("q")}
				m.health = health{ending: ctx, metrics: m.metrics}
				if !test.opening {
					m.open(&watchedStats{stats: test.stats, statsErr: test.statsErr, store: test.store}, !test.noWork)
				}
				time.Sleep(test.lives - test.attempt)
				if test.attempt > 0 {
					m.attempt(ctx, whop.Attempt{StatusCode: 503})
					time.Sleep(test.attempt)
				}
				if test.success > 0 {
					m.opened.Load().stats.ask = func(context.Context) (queue.Stats, error) {
						test.stats.LastSuccess = time.Now().Add(-test.success)
						return test.stats, nil
					}
				}
				if test.ending {
					end()
				}
				code, body := probe(m, "/healthz")
				require.Equal(t, 200, code)
				require.Equal(t, "alive\n", body)
				code, body = probe(m, "/readyz")
				if test.says == "" {
					require.Equal(t, 200, code, body)
					require.Equal(t, "ready\n", body)
					return
				}
				require.Equal(t, 503, code)
				require.Equal(t, test.says, body)
			})
		})
	}
}

// hangingQueue answers nothing.
type hangingQueue struct{ asked atomic.Int64 }

func (q *hangingQueue) Stats(ctx context.Context) (queue.Stats, error) {
	return queue.Stats{}, q.Check(ctx)
}

func (q *hangingQueue) Check(ctx context.Context) error {
	q.asked.Add(1)
	<-ctx.Done()
	return ctx.Err()
}

// However many ask for a queue that hangs, each has an answer within seconds.
func TestNobodyWaitsLongForAQueueThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &hangingQueue{}
		m := &monitor{metrics: newMetrics("q")}
		m.health = health{ending: t.Context(), metrics: m.metrics}
		m.open(q, true)
		begun := time.Now()
		for range 50 {
			go func() {
				code, body := probe(m, "/readyz")
				if code != 503 || body != "the queue cannot store: see that NATS runs and can be reached, and that its disk has room: context deadline exceeded\n" {
					t.Errorf("%d %s", code, body)
				}
			}()
			go func() { _, _ = m.registry.Gather() }()
		}
		synctest.Wait()
		time.Sleep(askTime)
		synctest.Wait()
		require.EqualValues(t, 2, q.asked.Load(), "once for all scrapes, once for all probes")
		require.Equal(t, askTime, time.Since(begun))
	})
}

func TestPathsOfAMonitor(t *testing.T) {
	m := watched(t, &watchedStats{})
	for _, test := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/metrics", 200},
		{"HEAD", "/readyz", 200},
		{"GET", "/", 404},
		{"GET", "/metrics/x", 404},
		{"GET", "/debug/pprof/", 404},
		{"POST", "/metrics", 405},
		{"POST", "/readyz", 405},
	} {
		w := httptest.NewRecorder()
		m.handler(nil).ServeHTTP(w, httptest.NewRequest(test.method, test.path, nil))
		require.Equal(t, test.status, w.Code, "%s %s", test.method, test.path)
	}
}
