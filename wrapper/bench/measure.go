package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// cost is that of one notification.
type cost struct {
	wall, cpu     float64 // ns
	allocs, bytes float64
}

// measure sends n notifications with so many workers, and gives what one cost this process.
func (c client) measure(ctx context.Context, n, workers int) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	err := c.sendMany(ctx, n, workers)
	wall := time.Since(start)
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	each := func(total float64) float64 { return total / float64(n) }
	return cost{
		wall:   each(float64(wall)),
		cpu:    each(float64(cpu)),
		allocs: each(float64(after.Mallocs - before.Mallocs)),
		bytes:  each(float64(after.TotalAlloc - before.TotalAlloc)),
	}, err
}

func (c client) sendMany(ctx context.Context, n, workers int) error {
	if c.all != nil {
		return c.all(ctx, n, workers)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var taken atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for taken.Add(1) <= int64(n) {
				if err := c.send(ctx); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// cpuTime is what this process has used, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no input
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
