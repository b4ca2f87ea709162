package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// enqueueFlags are those of the command enqueue.
type enqueueFlags struct {
	server      natsFlags
	run         string
	noBroadcast bool
	output      format
}

func newEnqueue() *cobra.Command {
	f := &enqueueFlags{output: textFormat}
	cmd := &cobra.Command{
		Use:   "enqueue FILE|- --nats URL",
		Short: "Put the notifications of a file into a queue on a NATS server",
		Long: `Put the notifications of a file of newline-delimited JSON, or of standard input (-), into a
queue on a NATS server with JetStream, for "whop-notify work" to send. Each line is the body
that Whop's API takes, optionally with "idempotency_key" among its fields. Every line is
checked before the first is enqueued. First the command prints how many go to everybody;
--no-broadcast refuses those.

You can safely repeat the command within 24 hours: a line without a key gets one made from
the file's content and the line's number, and the queue accepts each key once. To send the
same file twice within a day on purpose, name the second run with --run.

With --output json the result is one object: notifications, enqueued, duplicates (waiting or
sent already), will_not_go (dead letters or dropped already), not_enqueued and uncertain.`,
		Example: `  export NATS_URL=nats://127.0.0.1:4222
  whop-notify enqueue paid.ndjson

  # The same again on the same day, on purpose
  whop-notify enqueue paid.ndjson --run second-reminder`,
		Args: fileArgument,
		RunE: func(cmd *cobra.Command, args []string) error { return f.enqueue(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.server.register(flags)
	f.server.registerReplicas(flags)
	flags.StringVar(&f.run, "run", "", "`NAME` of this run; the keys of lines without one are made from it (default: from the file's content)")
	flags.BoolVar(&f.noBroadcast, "no-broadcast", false, "refuse lines that go to everybody in their target")
	flags.VarP(&f.output, "output", "o", "`FORMAT`: text or json")
	completeFlags(cmd)
	return cmd
}

const maxRun = 200 // bytes, so that key and number fit into Whop's 255

func (f *enqueueFlags) enqueue(cmd *cobra.Command, file string) error {
	_, inputErr := checkInput(file)
	if err := errors.Join(inputErr, f.server.check(), checkEmptied(cmd.Flags())); err != nil {
		return usageError(err, "")
	}
	if len(f.run) > maxRun {
		return usageError(fmt.Errorf("--run has %d bytes, over %d", len(f.run), maxRun), "")
	}
	if f.run != "" {
		probe := whop.ToCompany("biz_1", whop.Message{Title: "T", Content: "C"}).WithIdempotencyKey(f.run + "-1")
		for _, wrong := range validationErrors(probe.Validate()) {
			return usageError(fmt.Errorf("--run %s", wrong.Reason), "")
		}
	}
	ctx, stop := signalContext(cmd)
	defer stop()

	// What is enqueued is a copy of what was checked.
	copied, err := temporary()
	if err != nil {
		return inputError(ctx, err)
	}
	defer copied.Close()
	in := whileCopied(ctx, file, cmd.InOrStdin(), copied)
	defer in.Close()
	m, err := check(ctx, in, f.noBroadcast)
	if err != nil {
		return inputError(ctx, err)
	}
	if f.run == "" {
		f.run = m.Sum[:32]
	}
	m.sayEverybody(cmd.ErrOrStderr())
	q, closeQueue, err := f.server.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return &exitError{code: exitNot, err: err, hint: "Nothing was queued."}
	}
	defer closeQueue()
	sums, err := f.enqueueAll(ctx, cmd, q, copied, m)
	if f.output == jsonFormat {
		writeSummary(cmd, line(sums))
	} else {
		writeSummary(cmd, sums.text())
	}
	return sums.exit(err, f.server.where(), f.run)
}

// enqueueSums counts the lines by result.
type enqueueSums struct {
	Notifications int `json:"notifications"`
	Enqueued      int `json:"enqueued"`
	Duplicates    int `json:"duplicates"`   // enqueued before within 24 hours, and waiting or sent
	WillNotGo     int `json:"will_not_go"`  // enqueued before too, but dead letters or dropped now
	NotEnqueued   int `json:"not_enqueued"` // certainly
	Uncertain     int `json:"uncertain"`
}

func (s *enqueueSums) text() []byte {
	return fmt.Appendf(nil, "enqueued: %d of %s; %d were in the queue already\n", s.Enqueued, counted(s.Notifications), s.Duplicates)
}

// exit returns the exit code and advice for the lines' results. err says why not all lines were
// read. run is the name that the keys are made from.
func (s *enqueueSums) exit(err error, where, run string) error {
	const again = "Run the same command again within 24 hours: what is in the queue is not queued twice."
	correct := "Correct the lines named above where they stand, and run it again within 24 hours with --run " + shellQuoted(run) + ":\n" +
		"the other lines then keep their keys, and are not queued twice. Without it a changed file gets new ones."
	switch {
	case errors.Is(err, errChanged):
		return &exitError{code: exitNot, err: err}
	case s.Uncertain > 0:
		uncertain := fmt.Errorf("not certain to be in the queue: %s; certainly not: %d more", counted(s.Uncertain), s.NotEnqueued)
		if err != nil {
			uncertain = fmt.Errorf("%w: %w", err, uncertain)
		}
		return &exitError{code: exitUnknown, err: uncertain, hint: again}
	case err != nil:
		return &exitError{code: exitNot, err: err, hint: again}
	case s.NotEnqueued > 0:
		return &exitError{code: exitNot, err: fmt.Errorf("not in the queue: %s", counted(s.NotEnqueued)), hint: correct}
	case s.WillNotGo > 0:
		return &exitError{
			code: exitNot, err: fmt.Errorf("came before, and will not go out by themselves, as dead letters or dropped ones: %s", counted(s.WillNotGo)),
			hint: "See which: whop-notify dead list" + where + "\nTo send dead letters again: whop-notify dead retry" + where,
		}
	case s.Duplicates == s.Notifications:
		return &exitError{code: exitQueued, hint: "All of them came within the last 24 hours. --run NAME sends the lines without a key of their own once more."}
	}
	return nil
}

func (f *enqueueFlags) enqueueAll(ctx context.Context, cmd *cobra.Command, q *queue.Queue, in io.ReadSeeker, m manifest) (enqueueSums, error) {
	sums := enqueueSums{Notifications: m.Notifications}
	var numbers []int // of lines waiting for their ticket
	var passErr error
	all := func(yield func(whop.Notification) bool) {
		passErr = pass(in, m, f.run, func(number int, n whop.Notification) error {
			numbers = append(numbers, number)
			if !yield(n) {
				return errStopped
			}
			return nil
		})
	}
	for ticket, err := range q.EnqueueAll(ctx, all) {
		number := numbers[0]
		numbers = numbers[1:]
		switch {
		case err != nil:
			if errors.Is(err, queue.ErrNotEnqueued) || errors.Is(err, whop.ErrInvalidNotification) {
				sums.NotEnqueued++
			} else {
				sums.Uncertain++
			}
			if sums.NotEnqueued+sums.Uncertain <= maxComplaints {
				fmt.Fprintf(cmd.ErrOrStderr(), "whop-notify: %s\n", printable((&lineError{number, err}).Error()))
			}
		case ticket.Duplicate && (ticket.State == queue.Dead || ticket.State == queue.Canceled):
			sums.WillNotGo++
		case ticket.Duplicate:
			sums.Duplicates++
		default:
			sums.Enqueued++
		}
	}
	sums.NotEnqueued = sums.Notifications - sums.Enqueued - sums.Duplicates - sums.WillNotGo - sums.Uncertain // also those not read any more
	if ctx.Err() != nil {
		return sums, context.Cause(ctx)
	}
	return sums, passErr
}

var errStopped = errors.New("stopped")

// temporary creates a file that is deleted when closed.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "whop-notify-*.ndjson")
	if err != nil {
		return nil, &copyError{err}
	}
	_ = os.Remove(f.Name()) // if the system can, the open file stays readable, and no kill leaves it behind
	return f, nil
}
