package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/perf/benchmath"
)

// writeTables writes one table for each figure: a row for each client, a column for
// each setting.
func writeTables(w io.Writer, results []*comparison) {
	wall := func(c cost) float64 { return c.wall }
	cpu := func(c cost) float64 { return c.cpu }
	writeTable(w, results, "throughput, of by hand", func(c *comparison, client int) string {
		if client == 0 {
			return fmt.Sprintf("%.0f/s", 1e9/spread(c.values(0, wall)).Center)
		}
		return formatSpread("%.3f", spread(c.ratios(client, wall)))
	})
	writeTable(w, results, "CPU time of the client, µs", func(c *comparison, client int) string {
		return formatSpread("%.1f", spread(c.values(client, func(c cost) float64 { return cpu(c) / 1e3 })))
	})
	writeTable(w, results, "allocations, bytes", func(c *comparison, client int) string {
		allocs := spread(c.values(client, func(c cost) float64 { return c.allocs })).Center
		bytes := spread(c.values(client, func(c cost) float64 { return c.bytes })).Center
		return fmt.Sprintf("%.1f, %.0f", allocs, bytes)
	})
}

func writeTable(w io.Writer, results []*comparison, title string, cell func(c *comparison, client int) string) {
	fmt.Fprintf(w, "| %s |", title)
	for _, c := range results {
		fmt.Fprintf(w, " %s, %d |", c.protocol, c.workers)
	}
	fmt.Fprintf(w, "\n|---|%s\n", strings.Repeat("---|", len(results)))
	for client, name := range results[0].clients {
		fmt.Fprintf(w, "| %s |", name)
		for _, c := range results {
			fmt.Fprintf(w, " %s |", cell(c, client))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// spread returns the median and its 95 % confidence interval, as benchstat computes them.
func spread(values []float64) benchmath.Summary {
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(sample, 0.95)
}

// formatSpread returns the median with the larger half of the interval.
func formatSpread(format string, s benchmath.Summary) string {
	return fmt.Sprintf(format+" ± "+format, s.Center, max(s.Center-s.Lo, s.Hi-s.Center))
}

// writeBenchmarks writes every turn as Go's benchmarks are written, for benchstat.
func writeBenchmarks(w io.Writer, c *comparison) {
	fmt.Fprintln(w, "Unit of-byhand better=higher")
	for client, name := range c.clients {
		ratios := c.ratios(client, func(c cost) float64 { return c.wall })
		for round, each := range c.costs[client] {
			fmt.Fprintf(w, "BenchmarkNotification/protocol=%s/workers=%d/client=%s-%d %d %.0f ns/op %.0f cpu-ns/op %.1f allocs/op %.0f B/op %.4f of-byhand\n",
				c.protocol, c.workers, strings.ReplaceAll(name, " ", "-"), runtime.GOMAXPROCS(0), c.n,
				each.wall, each.cpu, each.allocs, each.bytes, ratios[round])
		}
	}
}
