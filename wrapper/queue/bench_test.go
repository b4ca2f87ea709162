package queue_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"runtime"
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
	const n, workers = 50_000, 32
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

// BenchmarkWaiting gives what a notification that waits takes of the heap, server included.
// With keys of their own it is the server's index of message ids, for a day; with positions
// there is none.
func BenchmarkWaiting(b *testing.B) {
	heap := func() float64 {
		for range 3 { // for what pools keep as well
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for name, enqueue := range map[string]func(q *queue.Queue, n int){
		"keys": func(q *queue.Queue, n int) {
			for _, err := range q.EnqueueAll(b.Context(), func(yield func(whop.Notification) bool) {
				for range n {
					if !yield(paid) {
						return
					}
				}
			}) {
				require.NoError(b, err)
			}
		},
		"positions": func(q *queue.Queue, n int) {
			for i := range n {
				_, err := q.EnqueueAt(b.Context(), paid, uint64(i+1))
				require.NoError(b, err)
			}
		},
	} {
		for _, n := range []int{1000, 100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					before := heap()
					q := newQueue(b)
					enqueue(q, n)
					time.Sleep(30 * time.Second) // until the server gives its caches back
					after := heap()
					b.ReportMetric((after-before)/(1<<20), "MiB-heap")
					b.ReportMetric((after-before)/float64(n), "B-each")
					runtime.KeepAlive(q)
				}
			})
		}
	}
}
