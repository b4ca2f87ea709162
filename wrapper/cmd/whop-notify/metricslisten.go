package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Limits for a client of the metrics.
const (
	metricsRequestTime = 5 * time.Second // to send a request
	// metricsAnswerTime is how long it may take to have the answer: the queue may be asked twice.
	metricsAnswerTime  = 2*askTime + 10*time.Second
	metricsIdleTime    = 2 * time.Minute // over the interval of a scrape
	metricsMaxHeader   = 16 << 10        // bytes
	metricsConnections = 100
	metricsStopTime    = time.Second // for answers in flight when the process ends
)

// metricsFlags choose where a process serves its metrics and health.
type metricsFlags struct{ addr string }

func (f *metricsFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.addr, "metrics-addr", "", "serve /metrics for Prometheus, /healthz and /readyz at `HOST:PORT`, without a key and without TLS:\na loopback address, or one that only your own network reaches; port 0 picks a free one")
}

func (f *metricsFlags) check() error {
	if f.addr == "" {
		return nil
	}
	_, err := checkAddress("--metrics-addr", f.addr, "127.0.0.1:9464")
	return err
}

// monitor counts what a process does, and serves the counts on --metrics-addr.
type monitor struct {
	*metrics
	health
	server *http.Server // nil: it is not shown
	served sync.WaitGroup
}

// start listens before the queue is open, so that it shows why a process does not start.
func (f *metricsFlags) start(ctx context.Context, cmd *cobra.Command, queueName string, logger *slog.Logger) (*monitor, error) {
	m := &monitor{metrics: newMetrics(queueName)}
	m.health = health{ending: ctx, metrics: m.metrics}
	if f.addr == "" {
		return m, nil
	}
	listener, err := listen("--metrics-addr", f.addr)
	if err != nil {
		return nil, err
	}
	listener = &boundedListener{Listener: listener, slots: make(chan struct{}, metricsConnections), closed: make(chan struct{})}
	errorLog := slog.NewLogLogger(logger.Handler(), slog.LevelWarn)
	m.server = &http.Server{
		Handler:           m.handler(errorLog),
		ReadHeaderTimeout: metricsRequestTime,
		ReadTimeout:       metricsRequestTime,
		WriteTimeout:      metricsAnswerTime,
		IdleTimeout:       metricsIdleTime,
		MaxHeaderBytes:    metricsMaxHeader,
		ErrorLog:          errorLog,
	}
	m.served.Go(func() {
		defer exitOnPanic(os.Stderr)
		if err := m.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("no metrics are served any more; the work goes on", "error", err)
		}
	})
	fmt.Fprintf(cmd.ErrOrStderr(), "metrics on %s\n", reachable("http://"+listener.Addr().String()+"/metrics"))
	return m, nil
}

func (m *monitor) handler(errorLog *log.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: errorLog}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "alive") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := m.ready(); err != nil {
			say(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		say(w, http.StatusOK, "ready")
	})
	return mux
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // who asked may be gone
}

// close ends the monitor, last of all: until then it shows that the process is shutting down.
func (m *monitor) close() {
	if m.server == nil {
		return
	}
	ending, cancel := context.WithTimeout(context.Background(), metricsStopTime)
	defer cancel()
	if m.server.Shutdown(ending) != nil {
		_ = m.server.Close()
	}
	m.served.Wait()
}
