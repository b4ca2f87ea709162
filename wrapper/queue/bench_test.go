package queue_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// BenchmarkQueue compares enqueueing and working together with SendAll, in turns, so that
// whatever else the machine does happens to both. The server does next to nothing, which
// is the worst case for the queue.
func BenchmarkQueue(b *testing.B) {
	const n, workers = 10_000, 32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	b.Cleanup(server.Close)
	client, err := whop.NewClient(whop.WithBaseURL(server.URL), whop.WithAPIKey("test"), whop.WithLimiter(nil))
	require.NoError(b, err)
	done := make(chan struct{}, n)
	q := newQueue(b, queue.WithObserver(func(_ context.Context, e queue.Event) {
		if e.Err != nil {
			panic(e.Err)
		}
		done <- struct{}{}
	}))
	notifications := func() iter.Seq[whop.Notification] {
		return func(yield func(whop.Notification) bool) {
			for range n {
				if !yield(paid) {
					return
				}
			}
		}
	}
	sendAll := func() {
		for r := range client.SendAll(b.Context(), notifications(), workers) {
			require.NoError(b, r.Err)
		}
	}
	throughQueue := func() {
		ctx, cancel := context.WithCancel(b.Context())
		var working sync.WaitGroup
		working.Go(func() { require.NoError(b, q.Work(ctx, client, workers)) })
		for _, err := range q.EnqueueAll(ctx, notifications()) {
			require.NoError(b, err)
		}
		for range n {
			<-done
		}
		cancel()
		working.Wait()
	}
	var took [2]time.Duration
	for i := 0; b.Loop(); i++ {
		for j, turn := range []func(){sendAll, throughQueue} {
			start := time.Now()
			turn()
			took[j] += time.Since(start)
		}
	}
	b.ReportMetric(float64(n*b.N)/took[0].Seconds(), "SendAll/s")
	b.ReportMetric(float64(n*b.N)/took[1].Seconds(), "queue/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "of-SendAll")
}
