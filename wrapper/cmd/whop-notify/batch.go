package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
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

// fileArgument wants the name of one file.
func fileArgument(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usageError(errors.New("no file given; - is standard input"), "")
	case len(args) > 1:
		return usageError(fmt.Errorf("one file at a time, not also %q", args[1]), "")
	}
	return nil
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
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process whatever it does

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

// runAgain is the advice where a batch ends before it is done.
const runAgain = "Nothing is lost: run the same command again."

// batch is one run of a batch.
type batch struct {
	state       *batchState
	input       string // the file to queue
	queue       *queue.Queue
	client      *whop.Client
	concurrency int
	stderr      io.Writer
	stats       queue.Stats // at the end
	interrupted bool
}

// run queues what is not queued yet and sends at the same time, until all is done.
func (b *batch) run(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var (
		parts     sync.WaitGroup
		queueErr  error
		workErr   error
		allQueued = make(chan struct{})
	)
	parts.Go(func() {
		if queueErr = b.enqueueRest(working); queueErr != nil {
			stop()
			return
		}
		close(allQueued)
	})
	parts.Go(func() {
		workErr = b.queue.Work(working, b.client, b.concurrency)
		stop()
	})
	watchErr := b.watch(working, allQueued)
	stop()
	parts.Wait()
	b.interrupted = ctx.Err() != nil
	switch {
	case errors.Is(queueErr, errChanged):
		return &exitError{code: exitNot, err: queueErr, hint: "What it held before is being sent. Restore it, and run the same command again."}
	case queueErr != nil && !b.interrupted && workErr == nil:
		return &exitError{code: exitNot, err: queueErr, hint: runAgain}
	case errors.Is(workErr, whop.ErrUnauthorized), errors.Is(workErr, whop.ErrRedirect):
		return &exitError{code: exitNot, err: workErr, hint: "Nothing is lost: correct the key or the base URL, and run the same command again."}
	case workErr != nil && !b.interrupted:
		return &exitError{code: exitNot, err: workErr, hint: runAgain}
	case watchErr != nil && !b.interrupted:
		return &exitError{code: exitNot, err: watchErr, hint: runAgain}
	}
	counting, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var err error
	if b.stats, err = b.queue.Stats(counting); err != nil {
		return &exitError{code: exitNot, err: err, hint: runAgain}
	}
	return nil
}

// enqueueRest queues the lines behind the last one that is queued.
func (b *batch) enqueueRest(ctx context.Context) error {
	if b.state.Queued {
		return nil
	}
	position, err := b.queue.Position(ctx)
	if err != nil {
		return err
	}
	in, err := os.Open(b.input)
	if err != nil {
		return err
	}
	defer in.Close()
	err = pass(in, b.state.manifest, b.state.Run, func(number int, n whop.Notification) error {
		if uint64(number) <= position {
			return nil
		}
		_, err := b.queue.EnqueueAt(ctx, n, uint64(number))
		return err
	})
	if err == nil {
		err = b.queue.Sync(ctx)
	}
	if err != nil {
		return err
	}
	return b.state.finishQueueing()
}

// watch shows the progress until nothing is left, or ctx ends.
func (b *batch) watch(ctx context.Context, allQueued <-chan struct{}) error {
	show := newProgress(b.stderr, b.state.Notifications)
	defer show.close()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(progressInterval):
		}
		stats, err := b.queue.Stats(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		show.update(stats)
		select {
		case <-allQueued:
		default:
			continue
		}
		if stats.Waiting == 0 && stats.InFlight == 0 {
			return nil
		}
	}
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

// counted is "1 notification", "2 notifications".
func counted(n int) string {
	if n == 1 {
		return "1 notification"
	}
	return fmt.Sprintf("%d notifications", n)
}

// summary is what became of a batch.
type summary struct {
	Notifications int  `json:"notifications"`
	Queued        int  `json:"queued"`
	Rejected      int  `json:"rejected"`
	NotSent       int  `json:"not_sent"`
	Unknown       int  `json:"unknown"`
	ToGo          int  `json:"to_go"`
	Done          bool `json:"done"`
}

func (s *summary) count(o whop.Outcome) {
	switch o {
	case whop.Rejected:
		s.Rejected++
	case whop.NotSent:
		s.NotSent++
	default:
		s.Unknown++
	}
}

func (s *summary) dead() int { return s.Rejected + s.NotSent + s.Unknown }

func (s *summary) text(paint style) []byte {
	head := paint.good("all queued")
	switch {
	case !s.Done:
		head = paint.odd("interrupted")
	case s.dead() > 0:
		head = paint.bad("not all queued")
	}
	out := fmt.Appendf(nil, "%s: Whop has taken %d of %s for delivery\n", head, s.Queued, counted(s.Notifications))
	for _, f := range []struct {
		name  string
		count int
	}{{"rejected", s.Rejected}, {"not sent", s.NotSent}, {"unknown", s.Unknown}, {"to go", s.ToGo}} {
		if f.count > 0 {
			out = fmt.Appendf(out, "  %-16s %d\n", f.name, f.count)
		}
	}
	return out
}
