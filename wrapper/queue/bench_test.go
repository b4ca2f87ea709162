package queue_test

import (
	"context"
	"fmt"
	"io"
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

// BenchmarkInAndOut measures how many notifications a second an embedded queue accepts, by
// Enqueue in 64 goroutines and by EnqueueAll, and how many 16 senders take out of it, to a
// server that does next to nothing. Each is on the disk before it is confirmed, so the disk's
// sync decides.
func BenchmarkInAndOut(b *testing.B) {
	const n = 5000
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"success":true}`)
	}))
	b.Cleanup(server.Close)
	client, err := whop.NewClient(whop.WithBaseURL(server.URL), whop.WithAPIKey("test"), whop.WithLimiter(nil))
	require.NoError(b, err)
	var one, all, out time.Duration
	for b.Loop() {
		done := make(chan struct{}, 2*n)
		q := newQueue(b, queue.WithObserver(func(_ context.Context, e queue.Event) {
			if e.Err != nil {
				panic(e.Err)
			}
			done <- struct{}{}
		}))
		start := time.Now()
		var enqueuing sync.WaitGroup
		for range 64 {
			enqueuing.Go(func() {
				for range n / 64 {
					enqueue(b, q, paid)
				}
			})
		}
		enqueuing.Wait()
		one += time.Since(start)
		start = time.Now()
		for _, err := range q.EnqueueAll(b.Context(), func(yield func(whop.Notification) bool) {
			for range n {
				if !yield(paid) {
					return
				}
			}
		}) {
			require.NoError(b, err)
		}
		all += time.Since(start)
		start = time.Now()
		stop := work(b, q, client, 16)
		for range n + n/64*64 {
			<-done
		}
		out += time.Since(start)
		require.NoError(b, stop())
	}
	b.ReportMetric(float64(n/64*64*b.N)/one.Seconds(), "Enqueue/s")
	b.ReportMetric(float64(n*b.N)/all.Seconds(), "EnqueueAll/s")
	b.ReportMetric(float64((n+n/64*64)*b.N)/out.Seconds(), "out/s")
}

// BenchmarkWaiting measures the heap that a waiting notification takes, server included. With
// keys that is the server's index of message ids, kept for a day. With positions there is no
// index.
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
					time.Sleep(30 * time.Second) // until the server frees its caches
					after := heap()
					b.ReportMetric((after-before)/(1<<20), "MiB-heap")
					b.ReportMetric((after-before)/float64(n), "B-each")
					runtime.KeepAlive(q)
				}
			})
		}
	}
}
