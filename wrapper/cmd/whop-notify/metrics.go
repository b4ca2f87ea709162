package main

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// metrics are what a process counts of its own work. Names and labels are in dashboards and
// alerts of others; the README lists them all. Each label has a fixed set of values, and its
// series start at 0, so that the first event shows as an increase.
type metrics struct {
	registry   *prometheus.Registry
	registerer prometheus.Registerer // adds the label queue

	requests      *prometheus.CounterVec
	requestTime   *prometheus.HistogramVec
	attempts      *prometheus.CounterVec
	attemptTime   prometheus.Histogram
	attemptWait   prometheus.Histogram
	retries       *prometheus.CounterVec
	notifications *prometheus.CounterVec

	lastAttempt atomic.Pointer[time.Time] // nil: none yet
}

// newMetrics makes the metrics of a process that uses a queue.
func newMetrics(queueName string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whop_notify_relay_requests_total",
			Help: "Requests to the relay, by result: stored (accepted, replayed), answered (found), or why it was refused.",
		}, []string{"result"}),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "whop_notify_relay_request_duration_seconds",
			Help:    "Time from the header of a request to the relay to its answer, by status.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"code"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whop_notify_attempts_total",
			Help: "Requests to Whop, by status; none: there was no answer.",
		}, []string{"code"}),
		attemptTime: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "whop_notify_attempt_duration_seconds",
			Help:    "Time of a request to Whop, to the end of its answer.",
			Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}),
		attemptWait: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "whop_notify_attempt_wait_seconds",
			Help:    "Wait before a request to Whop, for the rate limit and for the hold after a 429.",
			Buckets: []float64{.01, .1, .5, 1, 2.5, 5, 10, 30, 60, 120, 300},
		}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whop_notify_retries_total",
			Help: "Failures that are tried again, within a send or later from the queue.",
		}, []string{"stage"}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "whop_notify_notifications_total",
			Help: "Notifications that this process settled: queued at Whop, or a dead letter with its outcome.",
		}, []string{"outcome"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registerer = prometheus.WrapRegistererWith(prometheus.Labels{"queue": queueName}, m.registry)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "whop_notify_build_info", Help: "1, with the version in its labels.",
		ConstLabels: prometheus.Labels{"version": version(), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registerer.MustRegister(build, m.requests, m.requestTime, m.attempts, m.attemptTime, m.attemptWait, m.retries, m.notifications)
	for code := range countedCodes {
		m.attempts.WithLabelValues(strconv.Itoa(code))
	}
	m.attempts.WithLabelValues(noAnswer)
	for _, stage := range []string{stageSend, stageQueue} {
		m.retries.WithLabelValues(stage)
	}
	for _, outcome := range []string{outcomeQueued, outcomeLabel(whop.Rejected), outcomeLabel(whop.NotSent), outcomeLabel(whop.Unknown)} {
		m.notifications.WithLabelValues(outcome)
	}
	return m
}

// requestResults are the results of a relay's requests: see relayHandler.counted.
var requestResults = []string{
	"accepted", "replayed", "found",
	"unauthorized", "path", "method", "media_type", "too_large", "invalid", "broadcast", "mismatch", "in_progress", "unknown_key", "unavailable",
}

// watch counts what a relay answers.
func (m *metrics) watch(h *relayHandler) {
	for _, result := range requestResults {
		m.requests.WithLabelValues(result)
	}
	h.counted = m.request
}

// request counts a request that a relay has answered.
func (m *metrics) request(status int, result string, took time.Duration) {
	m.requests.WithLabelValues(result).Inc()
	m.requestTime.WithLabelValues(codeLabel(status)).Observe(took.Seconds())
}

const stageSend, stageQueue = "send", "queue"

// attempt is for [whop.WithObserver].
func (m *metrics) attempt(_ context.Context, a whop.Attempt) {
	m.lastAttempt.Store(new(time.Now()))
	m.attempts.WithLabelValues(codeLabel(a.StatusCode)).Inc()
	m.attemptTime.Observe(a.Duration.Seconds())
	m.attemptWait.Observe(a.Waited.Seconds())
	if a.RetryIn > 0 {
		m.retries.WithLabelValues(stageSend).Inc()
	}
}

// event is for [queue.WithObserver]. It does not count a notification that was returned without
// an attempt.
func (m *metrics) event(_ context.Context, e queue.Event) {
	failure, attempted := errors.AsType[*whop.SendError](e.Err)
	switch {
	case e.Receipt != nil:
		m.notifications.WithLabelValues(outcomeQueued).Inc()
	case e.Dead:
		m.notifications.WithLabelValues(outcomeLabel(e.Outcome)).Inc()
	case e.RetryIn > 0 && attempted && failure.Attempts > 0:
		m.retries.WithLabelValues(stageQueue).Inc()
	}
}

const outcomeQueued = "queued"

func outcomeLabel(o whop.Outcome) string { return strings.ReplaceAll(o.String(), " ", "_") }

// countedCodes are the statuses that have a series of their own: those that Whop documents,
// the relay answers, or a proxy is known for.
var countedCodes = map[int]bool{
	http.StatusOK: true, http.StatusAccepted: true,
	http.StatusBadRequest: true, http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true,
	http.StatusMethodNotAllowed: true, http.StatusRequestTimeout: true, http.StatusConflict: true, http.StatusGone: true,
	http.StatusRequestEntityTooLarge: true, http.StatusUnsupportedMediaType: true, http.StatusUnprocessableEntity: true, http.StatusTooManyRequests: true,
	http.StatusInternalServerError: true, http.StatusBadGateway: true, http.StatusServiceUnavailable: true, http.StatusGatewayTimeout: true,
}

const noAnswer = "none"

// codeLabel returns a status as a label. The number of labels is bounded, whatever a server
// answers.
func codeLabel(status int) string {
	switch {
	case countedCodes[status]:
		return strconv.Itoa(status)
	case status == 0:
		return noAnswer
	case status >= 100 && status <= 599:
		return strconv.Itoa(status/100) + "xx"
	}
	return "other"
}
