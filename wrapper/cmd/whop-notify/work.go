package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

func newWork() *cobra.Command {
	f, server, watch := &workFlags{}, &natsFlags{}, &metricsFlags{}
	cmd := &cobra.Command{
		Use:   "work --nats URL",
		Short: "Send what is in a queue on a NATS server",
		Long: `Send what "whop-notify enqueue", or a program with the package queue, has put into a queue
on a NATS server with JetStream. Run as many workers as you need, on as many machines: the
processes share the notifications and one rate limit, and each may be killed at any moment.

On SIGTERM or Ctrl-C it takes no more, finishes the requests in flight within --drain-timeout,
and exits with 0; a second signal ends it at once. It exits with 1 if Whop refuses the API key
or the address, or if the queue is gone: nothing is lost, so a supervisor can start it again.

It logs on standard error: what failed, what became a dead letter, and the totals of the queue
once a minute and at the end. "whop-notify status" shows the same at any time, and with
--metrics-addr Prometheus and a supervisor can watch it.`,
		Example: `  export WHOP_API_KEY=... NATS_URL=nats://127.0.0.1:4222
  whop-notify work --concurrency 32`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, server, watch) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	server.register(flags)
	server.registerReplicas(flags)
	f.register(flags)
	watch.register(flags)
	completeFlags(cmd)
	return cmd
}

func (f *workFlags) run(cmd *cobra.Command, server *natsFlags, watch *metricsFlags) error {
	if err := server.check(); err != nil {
		return usageError(err, "")
	}
	if err := watch.check(); err != nil {
		return usageError(err, "")
	}
	if err := f.check(cmd); err != nil {
		return err
	}
	if _, err := f.client.newClient(cmd.Flags(), nil); err != nil {
		return usageError(err, "")
	}
	ctx, stop := signalContext(cmd)
	defer stop()

	log := newLogWriter(cmd.ErrOrStderr())
	defer log.close()
	logger := slog.New(slog.NewTextHandler(log, nil))
	m, err := watch.start(ctx, cmd, server.name, logger)
	if err != nil {
		return err
	}
	defer m.close()
	q, closeQueue, err := server.open(ctx, logger, queue.WithLogger(logger), queue.WithDrainTimeout(f.drain), queue.WithObserver(m.event))
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	defer closeQueue()
	m.open(q, true)
	return f.work(ctx, cmd, q, m, logger)
}

// work sends the notifications of a queue, until ctx ends.
func (f *workFlags) work(ctx context.Context, cmd *cobra.Command, q *queue.Queue, m *monitor, logger *slog.Logger) error {
	client, err := f.newClient(cmd.Flags(), q, logger, whop.WithObserver(m.attempt))
	if err != nil {
		return usageError(err, "")
	}
	logger.Info("working", "queue", q.Name(), "client", client, "concurrency", f.concurrency, "rate_limit", f.rateLimit)
	context.AfterFunc(ctx, func() { logger.Info("ending: what is in flight comes to its end", "drain_timeout", f.drain) })
	counting, endCounting := context.WithCancel(ctx)
	var counts sync.WaitGroup
	counts.Go(func() {
		defer exitOnPanic(os.Stderr)
		logStatsEachMinute(counting, q, logger)
	})
	err = q.Work(ctx, client, f.concurrency)
	endCounting()
	counts.Wait()
	logStats(context.WithoutCancel(ctx), q, logger, "ended")
	if err != nil {
		return &exitError{code: exitNot, err: err, hint: "Nothing is lost: what is in the queue stays there."}
	}
	return nil
}

func logStatsEachMinute(ctx context.Context, q *queue.Queue, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
			logStats(ctx, q, logger, "queue")
		}
	}
}

// logStats logs the totals of the whole queue, across all processes.
func logStats(ctx context.Context, q *queue.Queue, logger *slog.Logger, message string) {
	status, err := countQueue(ctx, q)
	if err != nil {
		logger.Warn("the queue could not be counted", "error", err)
		return
	}
	logger.Info(message, status.attrs()...)
}
