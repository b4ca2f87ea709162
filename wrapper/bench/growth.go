package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"runtime"
	"strings"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// growthSample is how many notifications at least a figure of growth comes from: small
// numbers are sent several times over.
const growthSample = 100_000

// growth is what SendAll costs where it sends n notifications, and what is on the heap
// when it takes the last.
type growth struct {
	n     int
	costs []cost
	heap  []float64 // bytes in use
}

// measureGrowth sends 1,000 notifications, ten times as many, and so on up to most.
func measureGrowth(ctx context.Context, most int) ([]growth, error) {
	const workers, rounds = 32, 6 // the fewest for which benchstat computes an interval
	wrapper, err := whop.NewClient(
		whop.WithAPIKey(apiKey), whop.WithHTTPClient(&http.Client{Transport: memory{}}), whop.WithLimiter(nil),
	)
	if err != nil {
		return nil, err
	}
	var results []growth
	for n := 1000; n <= most; n *= 10 {
		results = append(results, growth{n: n})
	}
	for range rounds {
		for i := range results {
			g := &results[i]
			times := max(1, min(growthSample, most)/g.n)
			var heap uint64
			each, err := measure(times*g.n, func(int) error {
				for range times - 1 {
					if err := sendAll(ctx, wrapper, notifications(g.n), workers); err != nil {
						return err
					}
				}
				return sendAll(ctx, wrapper, beforeLast(notifications(g.n), g.n, func() { heap = heapInUse() }), workers)
			})
			if err != nil {
				return nil, err
			}
			g.costs = append(g.costs, each)
			g.heap = append(g.heap, float64(heap))
		}
	}
	return results, nil
}

func sendAll(ctx context.Context, c *whop.Client, ns iter.Seq[whop.Notification], workers int) error {
	for r := range c.SendAll(ctx, ns, workers) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// beforeLast calls do before the n-th notification is yielded.
func beforeLast(ns iter.Seq[whop.Notification], n int, do func()) iter.Seq[whop.Notification] {
	return func(yield func(whop.Notification) bool) {
		left := n
		for each := range ns {
			if left--; left == 0 {
				do()
			}
			if !yield(each) {
				return
			}
		}
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// memory is a transport without a network, so that what is left is SendAll's own work.
type memory struct{}

func (memory) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body.Close()
	return &http.Response{
		StatusCode: http.StatusOK,
		ProtoMajor: 1,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(`{"success":true}`)),
		Request:    r,
	}, nil
}

func writeGrowth(ctx context.Context, w io.Writer, most int) error {
	fmt.Fprintf(os.Stderr, "growth: SendAll of up to %d\n", most)
	results, err := measureGrowth(ctx, most)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "| SendAll without a network | µs each | allocations each | heap in use, KiB |\n|---|---|---|---|")
	for _, g := range results {
		var wall, allocs, heap []float64
		for i, c := range g.costs {
			wall = append(wall, c.wall/1e3)
			allocs = append(allocs, c.allocs)
			heap = append(heap, g.heap[i]/1024)
		}
		fmt.Fprintf(w, "| %d notifications | %s | %.1f | %s |\n",
			g.n, formatSpread("%.2f", spread(wall)), spread(allocs).Center, formatSpread("%.0f", spread(heap)))
	}
	fmt.Fprintln(w)
	return nil
}
