package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// keyQueue notes the key of each notification that it gets, and makes one where there is none.
type keyQueue struct {
	mu   sync.Mutex
	keys []string
	wait chan struct{} // before it answers, if it is not nil
	err  error
}

func (q *keyQueue) Enqueue(_ context.Context, n whop.Notification, _ ...queue.EnqueueOption) (queue.Ticket, error) {
	if q.wait != nil {
		<-q.wait
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	ticket := queue.Ticket{IdempotencyKey: n.IdempotencyKey(), Duplicate: n.IdempotencyKey() != ""}
	if ticket.IdempotencyKey == "" {
		ticket.IdempotencyKey = fmt.Sprintf("made-%d", len(q.keys)+1)
	}
	q.keys = append(q.keys, ticket.IdempotencyKey)
	return ticket, q.err
}

func (q *keyQueue) Find(context.Context, string) (queue.Found, error) {
	return queue.Found{}, queue.ErrUnknownKey
}

// brokenWriter is a connection to which nothing can be written.
type brokenWriter struct{ *httptest.ResponseRecorder }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func keylessRequest(ctx context.Context, base, title, retryCount string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+relayPath, strings.NewReader(`{"company_id":"biz_1","title":"`+title+`","content":"C"}`))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Authorization", "Bearer "+testRelayKey)
	r.Header.Set("Content-Type", "application/json")
	if retryCount != "" {
		r.Header.Set("X-Stainless-Retry-Count", retryCount)
	}
	return r
}

// A repeat without a key is the earlier request only where that one's client cannot know what
// became of it.
func TestRelayRecognisesRepeatsWithoutAKey(t *testing.T) {
	heard := func(h http.Handler, r *http.Request) { h.ServeHTTP(httptest.NewRecorder(), r) }
	gone := func(h http.Handler, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		h.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx))
	}
	broken := func(h http.Handler, r *http.Request) { h.ServeHTTP(brokenWriter{httptest.NewRecorder()}, r) }
	for _, test := range []struct {
		name   string
		first  func(http.Handler, *http.Request)
		doubt  bool
		after  time.Duration
		title  string
		count  string
		newer  bool // the current contract
		repeat bool
	}{
		{name: "answered", first: heard, title: "T", count: "1"},
		{name: "client gone", first: gone, title: "T", count: "1", repeat: true},
		{name: "client gone, a minute ago", first: gone, after: 59 * time.Second, title: "T", count: "2", repeat: true},
		{name: "client gone, long ago", first: gone, after: 61 * time.Second, title: "T", count: "1"},
		{name: "client gone, another body", first: gone, title: "U", count: "1"},
		{name: "client gone, another contract", first: gone, title: "T", count: "1", newer: true},
		{name: "client gone, no sign of a repeat", first: gone, title: "T"},
		{name: "client gone, not a repeat", first: gone, title: "T", count: "0"},
		{name: "client gone, nonsense", first: gone, title: "T", count: "x"},
		{name: "could not be written", first: broken, title: "T", count: "1", repeat: true},
		{name: "told that it is not known", first: heard, doubt: true, title: "T", count: "1", repeat: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := &keyQueue{}
				h := newRelayHandler(q, testRelayKey, false, slog.New(slog.DiscardHandler))
				if test.doubt {
					q.err = errors.New("no answer")
				}
				test.first(h, keylessRequest(t.Context(), "", "T", ""))
				q.err = nil
				time.Sleep(test.after)
				r := keylessRequest(t.Context(), "", test.title, test.count)
				if test.newer {
					r.Header.Set(versionHeader, whop.CurrentAPIVersion)
					r.Body = io.NopCloser(strings.NewReader(`{"account_id":"biz_1","title":"T","content":"C"}`))
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				require.Equal(t, 2, w.Code/100)
				require.Equal(t, test.repeat, q.keys[0] == q.keys[1], q.keys)
				require.Equal(t, q.keys[1], w.Header().Get(keyHeader))
				require.Equal(t, test.repeat, w.Header().Get(replayedHeader) == "true")

				again := httptest.NewRecorder()
				h.ServeHTTP(again, keylessRequest(t.Context(), "", "T", "1"))
				if test.repeat {
					require.NotEqual(t, q.keys[0], q.keys[2], "one repeat was heard, so this is none of it")
				}
				require.Empty(t, h.repeats.underWay)
			})
		})
	}
}

// Over a connection: a client that gives up while its notification is stored, and repeats the
// request meanwhile, has sent one notification.
func TestRelayRecognisesARepeatWhileTheFirstIsStored(t *testing.T) {
	q := &keyQueue{wait: make(chan struct{})}
	server := httptest.NewServer(newRelayHandler(q, testRelayKey, false, slog.New(slog.DiscardHandler)))
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := server.Client().Do(keylessRequest(ctx, server.URL, "T", "0"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	answered := make(chan *http.Response, 1)
	go func() {
		resp, err := server.Client().Do(keylessRequest(t.Context(), server.URL, "T", "1"))
		if err == nil {
			err = resp.Body.Close()
		}
		if err != nil {
			t.Error(err)
		}
		answered <- resp
	}()
	time.Sleep(50 * time.Millisecond)
	close(q.wait)
	resp := <-answered
	require.Equal(t, []string{"made-1", "made-1"}, q.keys)
	require.Equal(t, "made-1", resp.Header.Get(keyHeader))
	require.Equal(t, "true", resp.Header.Get(replayedHeader))
}

// What nobody heard of is not kept without bound.
func TestRelayForgetsRepeats(t *testing.T) {
	var r repeats
	for i := range maxUnheard + 5 {
		r.end(r.begin(requestSum{byte(i), byte(i >> 8)}), "k")
	}
	require.Len(t, r.unheard, maxUnheard)
	require.Empty(t, r.take(t.Context(), requestSum{0}))
	require.Equal(t, "k", r.take(t.Context(), requestSum{5}))
	require.Empty(t, r.take(t.Context(), requestSum{5}))
	require.Empty(t, r.underWay)
}
