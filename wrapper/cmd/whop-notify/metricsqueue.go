package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// watchedQueue is the part of a [queue.Queue] that the metrics use.
type watchedQueue interface {
	Stats(context.Context) (queue.Stats, error)
	Check(context.Context) error
}

const (
	// askTime bounds how long a scrape or a probe waits for the queue.
	askTime = 3 * time.Second
	// askAgain is how long an answer is reused, so that many scrapes ask the queue only once.
	askAgain = time.Second
)

// cached keeps the last answer for a moment, even if it is an error.
type cached[T any] struct {
	ask  func(context.Context) (T, error)
	turn chan struct{} // guards the fields below

	at    time.Time
	value T
	err   error
}

func newCached[T any](ask func(context.Context) (T, error)) *cached[T] {
	return &cached[T]{ask: ask, turn: make(chan struct{}, 1)}
}

func (c *cached[T]) get() (T, error) {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if c.at.IsZero() || time.Since(c.at) >= askAgain {
		ctx, cancel := context.WithTimeout(context.Background(), askTime) // the caller may leave while others wait
		defer cancel()
		c.value, c.err = c.ask(ctx)
		c.at = time.Now()
	}
	return c.value, c.err
}

// queueCollector reads the queue when it is scraped. While the queue does not answer, it exports
// only whop_notify_queue_up: old numbers would be mistaken for current ones.
type queueCollector struct {
	stats *cached[queue.Stats]

	mu   sync.Mutex
	sent int // the most that was seen: while one moves, Stats may miss it for a moment
}

var (
	queueUp            = prometheus.NewDesc("whop_notify_queue_up", "1 if the queue answered, else 0, and the other metrics of the queue are missing.", nil, nil)
	queueNotifications = prometheus.NewDesc("whop_notify_queue_notifications", "Notifications in the queue now, by state, of all processes together.", []string{"state"}, nil)
	queueSent          = prometheus.NewDesc("whop_notify_queue_sent_total", "Notifications queued at Whop since the queue was made, by all processes together.", nil, nil)
	queueOldest        = prometheus.NewDesc("whop_notify_queue_oldest_age_seconds", "The age of the oldest notification that waits or is in flight for the first time, or how long the oldest next try has been due; 0 if there is none.", nil, nil)
	queueLastSuccess   = prometheus.NewDesc("whop_notify_queue_last_success_timestamp_seconds", "When Whop last queued a notification, as Unix time; 0 if never.", nil, nil)
)

func (c *queueCollector) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{queueUp, queueNotifications, queueSent, queueOldest, queueLastSuccess} {
		descs <- desc
	}
}

func (c *queueCollector) Collect(collected chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		collected <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	s, err := c.stats.get()
	if err != nil {
		gauge(queueUp, 0)
		return
	}
	gauge(queueUp, 1)
	gauge(queueNotifications, float64(s.Waiting), "waiting")
	gauge(queueNotifications, float64(s.Retrying), "retrying")
	gauge(queueNotifications, float64(s.InFlight), "in_flight")
	gauge(queueNotifications, float64(s.Dead), "dead")
	gauge(queueOldest, s.Oldest.Seconds())
	last := 0.0
	if !s.LastSuccess.IsZero() {
		last = float64(s.LastSuccess.UnixMilli()) / 1000
	}
	gauge(queueLastSuccess, last)
	c.mu.Lock()
	c.sent = max(c.sent, s.Sent)
	sent := c.sent
	c.mu.Unlock()
	collected <- prometheus.MustNewConstMetric(queueSent, prometheus.CounterValue, float64(sent))
}
