package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"

	"github.com/spf13/cobra"
)

// batchFlags are those of the command batch.
type batchFlags struct {
	state       string
	restart     bool
	noBroadcast bool
	output      format
	verbose     bool
	work        workFlags
}

func newBatch() *cobra.Command {
	f := &batchFlags{output: textFormat}
	cmd := &cobra.Command{
		Use:   "batch FILE|-",
		Short: "Send the notifications of a file, each once, whatever happens",
		Long: `Send the notifications of a file of newline-delimited JSON, of a pipe, or of standard input
(-). Each line is the body that Whop's API takes, optionally with "idempotency_key" among its
fields. Every line is checked before the first is sent. A copy of the checked lines is kept
until the batch is done, and sent from. First the command prints how many go to everybody;
--no-broadcast refuses those.

Progress is kept in a private directory, which also holds the texts. After an interrupt, a
kill or a power failure, the same command continues: each notification is sent once. If the
input is gone, "whop-notify batch --state DIR" continues without it.

The directory belongs to one input, base URL and --api-version. If you run the same input
again, it is already done, and the command exits as that run did. Another input is refused:
use another --state, or --restart, which keeps the old directory as DIR.1.

If nothing goes out for ten seconds, the command says why, and then each minute.

If Whop refuses a notification, it becomes a dead letter in the directory, and the others go
on: see "whop-notify dead". With --output json the command ends by printing each dead letter
as a line of JSON, as "whop-notify dead list" does, and then a line with the totals:
notifications, everybody (how many went to all in their target), queued, rejected, not_sent,
unknown, dropped, lost (by a store that was damaged), to_go, done and finished.`,
		Example: `  # One notification a line
  cat > paid.ndjson <<'END'
  {"company_id":"biz_xxxxxxxxxxxxxx","title":"Paid","content":"Invoice 7 is paid"}
  {"experience_id":"exp_xxxxxxxxxxxxxx","title":"Class at six","content":"Room 2","user_ids":["user_xxxxxxxxxxxx1"]}
  END
  whop-notify batch paid.ndjson

  # How far it is, from another terminal; what was refused, and why
  whop-notify status --state paid.ndjson.state
  whop-notify dead list --state paid.ndjson.state

  # From another program, with the failures as JSON
  export-invoices | whop-notify batch - --state ./today --output json`,
		Args: atMostOneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) > 0 {
				file = args[0]
			}
			return f.run(cmd, file)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.state, "state", "", "`DIR` that keeps the progress (default: FILE.state)")
	flags.BoolVar(&f.restart, "restart", false, "start over, even if --state belongs to another input; the old directory is kept as DIR.1")
	flags.BoolVar(&f.noBroadcast, "no-broadcast", false, "refuse lines that go to everybody in their target")
	flags.VarP(&f.output, "output", "o", "`FORMAT`: text or json")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log the result of each notification on standard error")
	f.work.register(flags)
	completeFlags(cmd)
	return cmd
}

func (f *batchFlags) run(cmd *cobra.Command, file string) error {
	gone, err := f.check(cmd, file)
	if err != nil {
		return err
	}
	to, err := f.work.client.contract(cmd.Flags())
	if err != nil {
		return usageError(err, "")
	}
	ctx, stop := signalContext(cmd)
	defer stop()
	b := &batch{flags: f, cmd: cmd, input: file, inputGone: gone, contract: to, stderr: cmd.ErrOrStderr()}
	defer func() { b.close() }()
	if err := b.begin(ctx); err != nil {
		return err
	}
	logs, endLogs := f.logger(b.stderr)
	defer endLogs()
	b.logger = logs
	if err := b.send(ctx); err != nil {
		return err
	}
	return b.report()
}

// check refuses flags that cannot work, before anything is opened. gone says that the file is
// missing; an unfinished batch does not need it.
func (f *batchFlags) check(cmd *cobra.Command, file string) (gone bool, err error) {
	regular, inputErr := true, error(nil)
	if file != "" {
		regular, inputErr = checkInput(file)
	}
	gone = errors.Is(inputErr, fs.ErrNotExist)
	switch {
	case f.state == "" && file == "":
		return false, usageError(errors.New("no file given; - is standard input"), "")
	case f.state == "" && file == "-":
		return false, usageError(errors.New("--state DIR is required with standard input"), "")
	case f.state == "" && inputErr == nil && !regular:
		return false, usageError(fmt.Errorf("--state DIR is required, since %s is no regular file", file), "")
	case f.restart && file == "":
		return false, usageError(errors.New("--restart needs the FILE to begin with"), "")
	case inputErr != nil && !gone:
		return false, usageError(inputErr, "")
	}
	if f.state == "" {
		f.state = file + ".state"
	}
	if gone {
		if _, err := readState(f.state); err != nil {
			return gone, usageError(inputErr, "")
		}
	}
	return gone, f.work.check(cmd)
}

func (f *batchFlags) logger(stderr io.Writer) (logger *slog.Logger, end func()) {
	if !f.verbose {
		return slog.New(slog.DiscardHandler), func() {}
	}
	log := newLogWriter(stderr)
	return slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})), log.close
}
