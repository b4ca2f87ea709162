package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// relayFlags are those of the command relay.
type relayFlags struct {
	work        workFlags
	server      natsFlags
	state       string
	listen      relayListenFlags
	hook        relayHookFlags
	watch       metricsFlags
	keyFile     string
	inboxKey    string // the name of its file
	noWork      bool
	noBroadcast bool
}

func newRelay() *cobra.Command {
	f := &relayFlags{}
	cmd := &cobra.Command{
		Use:   "relay (--state DIR | --nats URL)",
		Short: "Take notifications in Whop's API shape, store them, and send them",
		Long: `Take notifications over HTTP as Whop's API does, store them in a queue, and send them from
there, for programs in any language: Whop's SDKs reach it by their base URL. The answer is
Whop's success once the notification is on the disk. GET /api/v1/notifications/{key} returns
what Whop said to it later, where key is the Idempotency-Key of the request or, if it had
none, of the answer.

Up to the date 2026-07-20 in Api-Version-Date, and without one, the target is company_id and
the answer 200; later dates have account_id and 202. The same Idempotency-Key with the same
notification within 24 hours is stored once; with another one it is refused, as Whop does.

Who reaches it can notify: a request needs the relay's own key as its bearer token, that of
--relay-key-file, else a random one that is printed on standard error. The key of Whop is that
of WHOP_API_KEY or --api-key-file, and goes nowhere but to Whop.

With --on-dead URL it reports each notification that it gave up, by a POST that is signed as
Standard Webhooks are, and repeats that until the answer is 2xx.

With --inbox-key-file it has a page at its root that shows what came and what it answered: the
last 1000 requests, in memory. A browser gives the key as the password, with any user name.

With --state the queue is in a directory, for one relay alone. With --nats it is on a NATS
server, for any number of relays and workers; --no-work leaves the sending to others.

On SIGTERM or Ctrl-C it accepts no more, finishes what it answers and what is in flight within
--drain-timeout, and exits with 0; a second signal ends it at once. It exits with 1 if Whop
refuses the API key or the address, or if the queue is gone: nothing that it has answered with
a success is lost, so a supervisor can start it again.`,
		Example: `  export WHOP_API_KEY=...
  whop-notify relay --state /var/lib/whop-relay --relay-key-file /etc/whop-relay.key

  # Only take in, for "whop-notify work" to send
  whop-notify relay --nats nats://127.0.0.1:4222 --no-work

  # Send by it, in another terminal
  curl http://127.0.0.1:8080/api/v1/notifications -H "Authorization: Bearer $RELAY_KEY" \
    -H "Content-Type: application/json" -H "Idempotency-Key: invoice-7-paid" \
    -d '{"company_id":"biz_xxxxxxxxxxxxxx","title":"Paid","content":"Invoice 7 is paid"}'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.listen.register(flags)
	flags.StringVar(&f.keyFile, "relay-key-file", "", "`FILE` with the key that requests need, of at least 16 bytes (default: a random one)")
	flags.StringVar(&f.inboxKey, "inbox-key-file", "", "serve a page of what came, to be read only, for who has the key in `FILE`, of at least 16 bytes")
	flags.StringVar(&f.state, "state", "", "`DIR` of the relay's queue; made if it is not there")
	flags.BoolVar(&f.noWork, "no-work", false, "with --nats: send nothing, for workers elsewhere to do")
	flags.BoolVar(&f.noBroadcast, "no-broadcast", false, "refuse notifications that go to everybody in their target")
	f.hook.register(flags)
	f.server.register(flags)
	f.server.registerReplicas(flags)
	f.work.register(flags)
	f.watch.register(flags)
	flags.Lookup("insecure-http").Usage = "allow http without TLS where it leaves the machine: to listen at an address that is not loopback,\nas --base-url and as --on-dead; what is sent, keys too, is readable on the way"
	completeFlags(cmd)
	return cmd
}

// check refuses what cannot work, before anything is opened.
func (f *relayFlags) check(cmd *cobra.Command) error {
	if err := checkEmptied(cmd.Flags()); err != nil {
		return usageError(err, "")
	}
	switch {
	case f.state != "" && f.noWork:
		return usageError(errors.New("--no-work needs --nats: nobody else can work on the queue in --state"), "")
	case f.state != "":
		if err := f.server.checkUnused(cmd.Flags()); err != nil {
			return usageError(err, "")
		}
	default:
		if _, err := f.server.address(); err != nil {
			return usageError(fmt.Errorf("--state DIR or a NATS server is required: %w", err), "")
		}
		if err := f.server.check(); err != nil {
			return usageError(err, "")
		}
	}
	if err := f.listen.check(f.work.client.insecureHTTP); err != nil {
		return usageError(err, "")
	}
	if err := f.hook.check(cmd.Flags(), f.work.client.insecureHTTP); err != nil {
		return usageError(err, "")
	}
	if err := f.watch.check(); err != nil {
		return usageError(err, "")
	}
	if f.noWork {
		return nil
	}
	if err := f.work.check(cmd); err != nil {
		return err
	}
	if _, err := f.work.client.newClient(cmd.Flags(), nil); err != nil {
		return usageError(err, "")
	}
	return nil
}

func (f *relayFlags) run(cmd *cobra.Command) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	key, err := f.listen.chooseKey(cmd, f.keyFile)
	if err != nil {
		return usageError(err, "")
	}
	inboxKey := ""
	if cmd.Flags().Changed("inbox-key-file") {
		if inboxKey, err = readStrongKey("--inbox-key-file", f.inboxKey); err != nil {
			return usageError(err, "")
		}
	}
	ctx, stop := signalContext(cmd)
	defer stop()

	log := newLogWriter(cmd.ErrOrStderr())
	defer log.close()
	logger := slog.New(slog.NewTextHandler(log, nil))
	listener, err := f.listen.listen(defaultRelayBounds)
	if err != nil {
		return err
	}
	defer listener.Close()
	m, err := f.watch.start(ctx, cmd, f.server.name, logger)
	if err != nil {
		return err
	}
	defer m.close()
	q, dir, closeQueue, err := f.open(ctx, logger, queue.WithObserver(m.event))
	if err != nil {
		return asExit(err)
	}
	defer closeQueue()

	m.open(q, !f.noWork)
	handler := newRelayHandler(q, key.text, f.noBroadcast, logger)
	m.watch(handler)
	if key.made {
		fmt.Fprintf(cmd.ErrOrStderr(), "accepting the relay key %s\n", key.text)
	}
	var front http.Handler = handler
	if inboxKey != "" {
		front = newRelayInbox(handler, inboxKey, key.text, f.work.client.key, os.Getenv("WHOP_API_KEY"))
		fmt.Fprintf(cmd.ErrOrStderr(), "page on %s, with the key of --inbox-key-file as its password\n", strings.TrimSuffix(f.listen.url(listener), "api/v1"))
	}
	fmt.Fprintf(cmd.OutOrStdout(), "listening on %s\n", f.listen.url(listener))
	return f.serve(ctx, cmd, listener, front, q, dir, m, logger)
}

// serve takes in and works until ctx ends or one of the two cannot go on, and ends both.
func (f *relayFlags) serve(ctx context.Context, cmd *cobra.Command, listener net.Listener, handler http.Handler, q *queue.Queue, dir *stateDir, m *monitor, logger *slog.Logger) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var parts sync.WaitGroup
	var served, worked, lost error
	parts.Go(func() {
		defer exitOnPanic(os.Stderr)
		served = serveRelay(ctx, listener, handler, defaultRelayBounds, logger)
		end(served)
	})
	if !f.noWork {
		parts.Go(func() {
			defer exitOnPanic(os.Stderr)
			worked = f.work.work(ctx, cmd, q, m, logger)
			end(worked)
		})
	}
	if f.hook.url != "" {
		parts.Go(func() {
			defer exitOnPanic(os.Stderr)
			newRelayHook(&f.hook, logger).watch(ctx, q)
		})
	}
	if dir != nil {
		parts.Go(func() {
			defer exitOnPanic(os.Stderr)
			lost = writeStatusEachSecond(ctx, dir, q, logger)
			end(lost)
		})
	}
	parts.Wait()
	if err := errors.Join(worked, served, lost); err != nil {
		return asExit(err)
	}
	return nil
}

// open opens the queue. The function that it returns closes it.
func (f *relayFlags) open(ctx context.Context, logger *slog.Logger, more ...queue.Option) (q *queue.Queue, dir *stateDir, closeQueue func(), err error) {
	opts := append(more, queue.WithLogger(logger), queue.WithDrainTimeout(f.work.drain))
	if f.state != "" {
		return openRelayState(ctx, f.state, opts...)
	}
	q, closeQueue, err = f.server.open(ctx, logger, opts...)
	return q, nil, closeQueue, err
}
