package main

import (
	"fmt"
	"time"
)

// meter measures how fast a number grows, over the last while.
type meter struct {
	samples []sample // oldest first
}

type sample struct {
	at    time.Time
	count int
}

const meterWindow = 20 * time.Second

func (m *meter) add(at time.Time, count int) {
	m.samples = append(m.samples, sample{at, count})
	for len(m.samples) > 2 && at.Sub(m.samples[1].at) >= meterWindow {
		m.samples = m.samples[1:]
	}
}

// rate returns the growth per second, 0 if it is not known yet.
func (m *meter) rate() float64 {
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	return float64(last.count-first.count) / max(last.at.Sub(first.at).Seconds(), 0.001)
}

// pace returns "9.7/s" and "4m10s left", as far as they are known.
func (m *meter) pace(toGo int) (perSecond, left string) {
	rate := m.rate()
	if rate == 0 {
		return "", ""
	}
	if toGo > 0 {
		d := time.Duration(float64(toGo) / rate * float64(time.Second))
		left = max(d.Round(time.Second), time.Second).String() + " left"
	}
	return fmt.Sprintf("%.1f/s", rate), left
}
