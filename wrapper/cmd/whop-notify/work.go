package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
}

func (f *workFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.concurrency, "concurrency", 16, "send up to `N` at the same time")
	flags.IntVar(&f.rateLimit, "rate-limit", 600, "make at most `N` attempts in any minute, all processes of the queue together; 0 for no limit")
	f.client.register(flags)
}

// check refuses what cannot work, before anything is opened.
func (f *workFlags) check(cmd *cobra.Command) error {
	if err := f.client.check(); err != nil {
		return usageError(err, "")
	}
	switch {
	case f.concurrency < 1:
		return usageError(fmt.Errorf("--concurrency %d is under 1", f.concurrency), "")
	case f.rateLimit < 0:
		return usageError(fmt.Errorf("--rate-limit %d is negative", f.rateLimit), "")
	}
	if err := checkSwallowed(cmd.Flags()); err != nil {
		return usageError(err, "")
	}
	if !hasKey(cmd.Flags()) {
		return usageError(errors.New("no API key"), "Set WHOP_API_KEY, or give --api-key-file FILE.")
	}
	return nil
}

// newClient makes one that shares its pace with all processes of the queue.
func (f *workFlags) newClient(flags *pflag.FlagSet, q *queue.Queue) (*whop.Client, error) {
	limiter := whop.Limiter(nil)
	if f.rateLimit > 0 {
		limiter = q.Limiter(f.rateLimit)
	}
	return f.client.newClient(flags, limiter)
}

func newWork() *cobra.Command {
	f, server := &workFlags{}, &natsFlags{}
	cmd := &cobra.Command{
		Use:   "work --nats URL",
		Short: "Send what is in a queue on a NATS server",
		Long: `Send what "whop-notify enqueue", or a program with the package queue, has put into a queue
on a NATS server with JetStream. Run it as often as it takes, on as many machines: the
processes share the notifications and one rate limit, and each may be killed at any moment.

SIGINT and SIGTERM end it once the attempts that are under way have ended; a second one ends
it at once. It exits with 0 then. It exits with 1 if Whop refuses the API key or the address,
or if the queue is gone: nothing is lost, so a supervisor can start it again.

It logs on standard error: what failed, what became a dead letter, and each minute the sums.`,
		Example: `  export WHOP_API_KEY=... NATS_URL=nats://127.0.0.1:4222
  whop-notify work --concurrency 32`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, server) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	server.register(flags)
	f.register(flags)
	completeFlags(cmd)
	return cmd
}

func (f *workFlags) run(cmd *cobra.Command, server *natsFlags) error {
	if err := server.check(); err != nil {
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

	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
	q, closeQueue, err := server.open(ctx, logger, queue.WithLogger(logger))
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	defer closeQueue()
	client, err := f.newClient(cmd.Flags(), q)
	if err != nil {
		return usageError(err, "")
	}
	logger.Info("working", "queue", q.Name(), "client", client, "concurrency", f.concurrency, "rate_limit", f.rateLimit)
	context.AfterFunc(ctx, func() { logger.Info("ending: attempts that are under way come to their end") })
	counting, endCounting := context.WithCancel(ctx)
	var counts sync.WaitGroup
	counts.Go(func() { logStats(counting, q, logger) })
	err = q.Work(ctx, client, f.concurrency)
	endCounting()
	counts.Wait()
	if err != nil {
		return &exitError{code: exitNot, err: err, hint: "Nothing is lost: what is in the queue stays there."}
	}
	return nil
}

// logStats logs the sums each minute.
func logStats(ctx context.Context, q *queue.Queue, logger *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
		if s, err := q.Stats(ctx); err == nil {
			logger.Info("queue", "waiting", s.Waiting, "in_flight", s.InFlight, "sent", s.Sent, "dead", s.Dead)
		}
	}
}
