package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// workFlags are those of the commands that send from a queue.
type workFlags struct {
	client      clientFlags
	concurrency int
	rateLimit   int
	drain       time.Duration
}

// maxConcurrency is far above what Whop's limit lets anybody use.
const maxConcurrency = 1000

func (f *workFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.concurrency, "concurrency", 16, "send up to `N` at the same time (with 1, one retry beside it)")
	flags.IntVar(&f.rateLimit, "rate-limit", 600, "make at most `N` attempts in any minute, all processes of the queue together; 0 for no limit")
	flags.DurationVar(&f.drain, "drain-timeout", 20*time.Second, "on SIGTERM or Ctrl-C, wait up to `TIME` for what is in flight; keep it under what a supervisor\ngrants (30s in Kubernetes, 90s with systemd)")
	f.client.register(flags)
	flags.Lookup("max-attempts").Usage = "try `N` times at a time, the first time included; the queue tries again later"
}

// check refuses flags that cannot work, before anything is opened.
func (f *workFlags) check(cmd *cobra.Command) error {
	if err := f.client.check(); err != nil {
		return usageError(err, "")
	}
	switch {
	case f.concurrency < 1:
		return usageError(fmt.Errorf("--concurrency %d is under 1", f.concurrency), "")
	case f.concurrency > maxConcurrency:
		return usageError(fmt.Errorf("--concurrency %d is over %d", f.concurrency, maxConcurrency), "")
	case f.drain < 0:
		return usageError(fmt.Errorf("--drain-timeout %v is negative", f.drain), "")
	case f.rateLimit < 0:
		return usageError(fmt.Errorf("--rate-limit %d is negative", f.rateLimit), "")
	}
	if err := checkEmptied(cmd.Flags()); err != nil {
		return usageError(err, "")
	}
	if !hasKey(cmd.Flags()) {
		return usageError(errors.New("no API key"), "Set WHOP_API_KEY, or give --api-key-file FILE.")
	}
	return nil
}

// newClient makes a client that shares its rate limit with all processes of the queue. Of what
// it has to say only the retirement of Whop's API is logged; the queue logs the rest.
func (f *workFlags) newClient(flags *pflag.FlagSet, q *queue.Queue, logger *slog.Logger, more ...whop.Option) (*whop.Client, error) {
	limiter := whop.Limiter(nil)
	if f.rateLimit > 0 {
		limiter = q.Limiter(f.rateLimit)
	}
	return f.client.newClient(flags, limiter, append(more, whop.WithLogger(slog.New(retirements{logger.Handler()})))...)
}

// retirements passes on the warnings that Whop retires a version of its API.
type retirements struct{ slog.Handler }

func (h retirements) Handle(ctx context.Context, r slog.Record) error {
	isOne := false
	r.Attrs(func(a slog.Attr) bool {
		isOne = a.Key == "deprecation" || a.Key == "sunset"
		return !isOne
	})
	if !isOne {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
