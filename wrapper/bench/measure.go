package main

import (
	"runtime"
	"syscall"
	"time"
)

// cost is that of one notification.
type cost struct {
	wall, cpu     float64 // ns
	allocs, bytes float64
}

// measure sends n notifications, and returns what one cost this process.
func measure(n int, send sender) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	err := send(n)
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

// cpuTime is what this process has used, in user and system mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no input
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
