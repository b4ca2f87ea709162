package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// batchFlags are those of the command batch.
type batchFlags struct {
	state   string
	output  format
	verbose bool
	work    workFlags
}

func newBatch() *cobra.Command {
	f := &batchFlags{output: textFormat}
	cmd := &cobra.Command{
		Use:   "batch FILE|-",
		Short: "Send the notifications of a file, each once, whatever happens",
		Long: `Send the notifications of a file of newline-delimited JSON, or of standard input (-). Each
line is the body that Whop's API takes, optionally with "idempotency_key" among its fields.
Every line is checked before the first is sent.

What is done and what is left lies in a directory. Interrupted, killed, or after a power
failure, the same command goes on where it was: each notification is sent once. Once all of
the file is queued there, the file is not needed any more. A batch that is done is done: to
send the file again, give another directory, or remove it.

What Whop refuses becomes a dead letter in the directory, and the others go on: see
"whop-notify dead". With --output json the dead letters are printed at the end as lines of
JSON, and a line with the sums after them.`,
		Example: `  # One notification a line
  cat > paid.ndjson <<'END'
  {"company_id":"biz_xxxxxxxxxxxxxx","title":"Paid","content":"Invoice 7 is paid"}
  {"experience_id":"exp_xxxxxxxxxxxxxx","title":"Class at six","content":"Room 2","user_ids":["user_xxxxxxxxxxxx1"]}
  END
  whop-notify batch paid.ndjson

  # What was refused, and why
  whop-notify dead list --state paid.ndjson.state

  # From another program, with the failures as JSON
  export-invoices | whop-notify batch - --state ./today --output json`,
		Args: fileArgument,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.state, "state", "", "`DIR` for what is done and left (default: FILE.state)")
	flags.VarP(&f.output, "output", "o", "`FORMAT`: text or json")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log what becomes of each notification on standard error")
	f.work.register(flags)
	completeFlags(cmd)
	return cmd
}

func (f *batchFlags) run(cmd *cobra.Command, file string) error {
	if f.state == "" && file == "-" {
		return usageError(errors.New("--state DIR is required with standard input"), "")
	}
	if f.state == "" {
		f.state = file + ".state"
	}
	if err := f.work.check(cmd); err != nil {
		return err
	}
	if _, err := f.work.client.newClient(cmd.Flags(), nil); err != nil {
		return usageError(err, "")
	}
	input, m, err := prepare(file, f.state, cmd.InOrStdin())
	if err != nil {
		return usageError(err, "")
	}
	ctx, stop := signalContext(cmd)
	defer stop()

	q, closeQueue, err := openState(ctx, f.state, queue.WithLogger(f.logger(cmd)))
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	defer closeQueue()
	client, err := f.work.newClient(cmd.Flags(), q)
	if err != nil {
		return usageError(err, "")
	}
	state, err := loadState(f.state)
	if err == nil && !state.Queued {
		err = state.begin(m)
	}
	if err != nil {
		return usageError(err, "")
	}
	b := &batch{state: state, input: input, queue: q, client: client, concurrency: f.work.concurrency, stderr: cmd.ErrOrStderr()}
	if err := b.run(ctx); err != nil {
		return err
	}
	return f.sum(cmd, b)
}

// prepare checks the whole input, unless all of it is queued already. It gives the file
// to queue, which for standard input is a copy in the directory.
func prepare(file, dir string, stdin io.Reader) (input string, m manifest, err error) {
	state, err := loadState(dir)
	if err != nil || state.Queued {
		return "", m, err
	}
	if input = file; file == "-" {
		input = state.spool()
		if _, err := os.Stat(input); err != nil {
			if err := state.keepInput(stdin); err != nil {
				return "", m, fmt.Errorf("keeping standard input: %w", err)
			}
		}
	}
	in, err := os.Open(input)
	if err != nil {
		return "", m, err
	}
	defer in.Close()
	if m, err = check(in); err != nil && file == "-" && state.Run == "" {
		err = errors.Join(err, os.Remove(input)) // so that a better one can be given
	}
	return input, m, err
}

func (f *batchFlags) logger(cmd *cobra.Command) *slog.Logger {
	if !f.verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// sum prints what became of the batch.
func (f *batchFlags) sum(cmd *cobra.Command, b *batch) error {
	s := summary{Notifications: b.state.Notifications, Queued: b.stats.Sent, Done: !b.interrupted}
	var letters [][]byte
	for letter, err := range b.queue.Dead(context.WithoutCancel(cmd.Context())) {
		if err != nil {
			return &exitError{code: exitNot, err: err}
		}
		s.count(letter.Outcome)
		if f.output == jsonFormat {
			letters = append(letters, line(deadLine(letter)))
		}
	}
	s.ToGo = max(0, s.Notifications-s.Queued-s.dead())
	if f.output == jsonFormat {
		writeResult(cmd, letters...)
		writeResult(cmd, line(s))
	} else {
		writeResult(cmd, s.text(styleOf(cmd.OutOrStdout())))
	}
	switch {
	case b.interrupted:
		return &exitError{code: exitNot, err: fmt.Errorf("interrupted, with %s to go", counted(s.ToGo)), hint: runAgain}
	case s.Unknown > 0:
		return &exitError{code: exitUnknown, err: fmt.Errorf("unknown whether they go out: %s; not queued: %d more", counted(s.Unknown), s.Rejected+s.NotSent), hint: b.whereDead()}
	case s.dead() > 0:
		return &exitError{code: exitNot, err: fmt.Errorf("not queued: %s", counted(s.dead())), hint: b.whereDead()}
	}
	return nil
}

func (b *batch) whereDead() string {
	return "See which, and why: whop-notify dead list --state " + b.state.dir
}
