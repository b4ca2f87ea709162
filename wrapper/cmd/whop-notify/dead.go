package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// deadFlags are those of the commands below dead.
type deadFlags struct {
	state        string
	server       natsFlags
	output       format
	all          bool
	acceptRepeat bool

	ledger *ledger // of a batch; else nil
}

func newDead() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "See and settle the notifications that a queue has given up",
		Long: `See and settle the dead letters: notifications that a queue has given up, each with the
reason. They stay in the directory of a batch or a relay (--state), or on a NATS server (--nats),
until you retry or drop them. No other process may be using the directory.`,
		RunE: func(*cobra.Command, []string) error {
			return usageError(errors.New("no command given: list, show, retry or drop"), "")
		},
	}
	list := (&deadFlags{}).command("list", "List the dead letters", `List the dead letters, oldest first. With --output json each is a line: id, line (of a batch's
file), outcome, idempotency_key, key_spent (Whop repeats its refusal to it), reason, deliveries,
enqueued_at, died_at, first_attempt (from when on Whop may have queued it), and notification or,
if it is none, body. Fields that do not apply are left out.`,
		`  whop-notify dead list --state paid.ndjson.state`, noArguments, listDead)
	show := (&deadFlags{}).command("show ID", "Show one dead letter", `Show all that is known of a dead letter, with --output json as "whop-notify dead list" does.`,
		`  whop-notify dead show 3 --state paid.ndjson.state`, exactlyOneID, showDead)
	retry := (&deadFlags{}).settle("retry", "Put dead letters back into the queue", `Put dead letters back into the queue, for "batch", "work" or "relay" to send. They keep their
idempotency keys where an earlier attempt may be in doubt, or the key is your own; one that was
certainly not queued gets another key once Whop has repeated its refusal to the old one. When a
key in doubt is 23 hours old, Whop may have forgotten it, and a retry could notify twice: that
takes --accept-repeat.`, retryDead)
	drop := (&deadFlags{}).settle("drop", "Remove dead letters for good", `Remove dead letters for good. They will not be sent.`, dropDead)
	for _, sub := range []*cobra.Command{list, show, retry, drop} {
		completeFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

// command makes one of the commands.
func (f *deadFlags) command(use, short, long, example string, args cobra.PositionalArgs, run func(*deadFlags, *cobra.Command, *queue.Queue, []string) error) *cobra.Command {
	f.output = textFormat
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: args}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.state, "state", "", "`DIR` of a batch or a relay")
	f.server.register(flags)
	flags.VarP(&f.output, "output", "o", "`FORMAT`: text or json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q, closeQueue, err := f.open(cmd)
		if err != nil {
			return err
		}
		defer closeQueue()
		return run(f, cmd, q, args)
	}
	return cmd
}

// settle makes one of the commands that take several ids, or all.
func (f *deadFlags) settle(name, short, long string, run func(*deadFlags, *cobra.Command, *queue.Queue, []string) error) *cobra.Command {
	example := "  whop-notify dead " + name + " 3 4 --state paid.ndjson.state\n  whop-notify dead " + name + " --all --nats nats://127.0.0.1:4222"
	cmd := f.command(name+" (ID... | --all)", short, long, example, f.someIDs, run)
	cmd.Flags().BoolVar(&f.all, "all", false, "all dead letters")
	if name == "retry" {
		cmd.Flags().BoolVar(&f.acceptRepeat, "accept-repeat", false, "retry even what could notify a second time")
	}
	return cmd
}

func exactlyOneID(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(errors.New("give the ID of one dead letter, as dead list shows it"), "")
	}
	_, err := deadID(args[0])
	return err
}

func (f *deadFlags) someIDs(_ *cobra.Command, args []string) error {
	if f.all == (len(args) > 0) {
		return usageError(errors.New("give the IDs of dead letters, as dead list shows them, or --all"), "")
	}
	for _, arg := range args {
		if _, err := deadID(arg); err != nil {
			return err
		}
	}
	return nil
}

func deadID(arg string) (uint64, error) {
	id, err := strconv.ParseUint(arg, 10, 64)
	if err != nil || id == 0 {
		return 0, usageError(fmt.Errorf("%q is not the ID of a dead letter, as dead list shows them", arg), "")
	}
	return id, nil
}

func (f *deadFlags) open(cmd *cobra.Command) (*queue.Queue, func(), error) {
	if err := checkEmptied(cmd.Flags()); err != nil {
		return nil, nil, usageError(err, "")
	}
	var (
		q          *queue.Queue
		closeQueue func()
		err        error
	)
	if f.state != "" {
		if err := f.server.checkUnused(cmd.Flags()); err != nil {
			return nil, nil, usageError(err, "")
		}
		var opened *openedDirectory
		if opened, err = openDirectory(cmd.Context(), f.state, lockPatience); err == nil {
			q, closeQueue, f.ledger = opened.queue, opened.close, opened.ledger
		}
	} else {
		if err := f.server.check(); err != nil {
			return nil, nil, usageError(fmt.Errorf("--state DIR or a NATS server is required: %w", err), "")
		}
		q, closeQueue, err = f.server.open(cmd.Context(), slog.New(slog.DiscardHandler))
	}
	if err != nil {
		return nil, nil, asExit(err)
	}
	return q, closeQueue, nil
}
