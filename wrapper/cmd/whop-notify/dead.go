package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

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
}

func newDead() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "See and settle the notifications that a queue has given up",
		Long: `See and settle the dead letters: notifications that a queue has given up, each with the
reason. They are in the directory of a batch (--state) or on a NATS server (--nats), and stay
there until they are retried or dropped.`,
		RunE: func(*cobra.Command, []string) error {
			return usageError(errors.New("no command given: list, show, retry or drop"), "")
		},
	}
	list := (&deadFlags{}).command("list", "List the dead letters", `List the dead letters, oldest first. With --output json each is a line.`,
		`  whop-notify dead list --state paid.ndjson.state`, noArguments, listDead)
	show := (&deadFlags{}).command("show ID", "Show one dead letter", `Show all that is known of a dead letter.`,
		`  whop-notify dead show 3 --state paid.ndjson.state`, exactlyOneID, showDead)
	retry := (&deadFlags{}).settle("retry", "Put dead letters back into the queue", `Put dead letters back into the queue, for "batch" or "work" to send. One that was certainly not
queued gets a new idempotency key, since Whop repeats a refusal to the old one. One of which
that is unknown keeps its key, by which Whop knows it; when the key is 23 hours old, Whop may
have forgotten it, and a retry could notify twice: that takes --accept-repeat.`, retryDead)
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
	flags.StringVar(&f.state, "state", "", "`DIR` of a batch")
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
		cmd.Flags().BoolVar(&f.acceptRepeat, "accept-repeat", false, "also where it could notify a second time")
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
	if err := checkSwallowed(cmd.Flags()); err != nil {
		return nil, nil, usageError(err, "")
	}
	var (
		q          *queue.Queue
		closeQueue func()
		err        error
	)
	if f.state != "" {
		if f.server.url != "" {
			return nil, nil, usageError(errors.New("--state and --nats exclude each other"), "")
		}
		if state, err := loadState(f.state); err != nil || state.Run == "" {
			return nil, nil, usageError(fmt.Errorf("%s is not the directory of a batch", f.state), "")
		}
		q, closeQueue, err = openState(cmd.Context(), f.state)
	} else {
		if err := f.server.check(); err != nil {
			return nil, nil, usageError(fmt.Errorf("--state DIR or a NATS server is required: %w", err), "")
		}
		q, closeQueue, err = f.server.open(cmd.Context(), slog.New(slog.DiscardHandler))
	}
	if err != nil {
		return nil, nil, &exitError{code: exitNot, err: err}
	}
	return q, closeQueue, nil
}

// deadResult is a dead letter, as --output json shows it.
type deadResult struct {
	ID             uint64          `json:"id"`
	Line           uint64          `json:"line,omitempty"` // of the file of a batch
	Outcome        string          `json:"outcome"`
	IdempotencyKey string          `json:"idempotency_key"`
	Reason         string          `json:"reason"`
	Deliveries     int             `json:"deliveries"`
	EnqueuedAt     time.Time       `json:"enqueued_at"`
	DiedAt         time.Time       `json:"died_at"`
	FirstAttempt   time.Time       `json:"first_attempt,omitzero"`
	Notification   json.RawMessage `json:"notification,omitempty"`
	Body           string          `json:"body,omitempty"` // where it is no notification
}

func deadLine(d queue.DeadLetter) deadResult {
	r := deadResult{
		ID: d.ID, Line: d.Position, Outcome: d.Outcome.String(), IdempotencyKey: d.IdempotencyKey,
		Reason: d.Reason, Deliveries: d.Deliveries, EnqueuedAt: d.EnqueuedAt, DiedAt: d.DiedAt, FirstAttempt: d.FirstAttempt,
	}
	if json.Valid(d.Body) && utf8.Valid(d.Body) {
		r.Notification = d.Body
	} else {
		r.Body = string(d.Body)
	}
	return r
}

func listDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, _ []string) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	none := true
	for letter, err := range q.Dead(cmd.Context()) {
		if err != nil {
			return &exitError{code: exitNot, err: err}
		}
		if f.output == jsonFormat {
			writeResult(cmd, line(deadLine(letter)))
			continue
		}
		if none {
			none = false
			fmt.Fprintln(table, "ID\tLINE\tDIED\tOUTCOME\tKEY\tREASON")
		}
		position := ""
		if letter.Position > 0 {
			position = strconv.FormatUint(letter.Position, 10)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", letter.ID, position, letter.DiedAt.Format("2006-01-02 15:04"), letter.Outcome,
			letter.IdempotencyKey, shorten(printable(strings.TrimPrefix(letter.Reason, "whop: ")), 100))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	writeResult(cmd, text.Bytes())
	if f.output == textFormat && none {
		fmt.Fprintln(cmd.ErrOrStderr(), "no dead letters")
	}
	return nil
}

func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

func showDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, args []string) error {
	id, err := deadID(args[0])
	if err != nil {
		return err
	}
	letter, err := q.DeadLetter(cmd.Context(), id)
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	r := deadLine(letter)
	if f.output == jsonFormat {
		writeResult(cmd, line(r))
		return nil
	}
	var out bytes.Buffer
	number, first := "", ""
	if r.Line > 0 {
		number = strconv.FormatUint(r.Line, 10)
	}
	if !r.FirstAttempt.IsZero() {
		first = r.FirstAttempt.Format(time.RFC3339)
	}
	for _, field := range []struct{ name, value string }{
		{"id", strconv.FormatUint(r.ID, 10)},
		{"line", number},
		{"outcome", r.Outcome},
		{"reason", r.Reason},
		{"idempotency key", r.IdempotencyKey},
		{"deliveries", strconv.Itoa(r.Deliveries)},
		{"enqueued", r.EnqueuedAt.Format(time.RFC3339)},
		{"first attempt", first},
		{"died", r.DiedAt.Format(time.RFC3339)},
		{"notification", string(letter.Body)},
	} {
		if field.value != "" {
			fmt.Fprintf(&out, "%-16s %s\n", field.name, printable(field.value))
		}
	}
	writeResult(cmd, out.Bytes())
	return nil
}

// ids gives those that were asked for.
func (f *deadFlags) ids(ctx context.Context, q *queue.Queue, args []string) (ids []uint64, err error) {
	for _, arg := range args {
		id, err := deadID(arg)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	if f.all {
		for letter, err := range q.Dead(ctx) {
			if err != nil {
				return nil, &exitError{code: exitNot, err: err}
			}
			ids = append(ids, letter.ID)
		}
	}
	return ids, nil
}

// settled is what became of a dead letter, as --output json shows it.
type settled struct {
	ID             uint64 `json:"id"`
	Settled        string `json:"settled"` // retried, dropped, or no
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	Error          string `json:"error,omitempty"`
}

// each settles dead letters one after the other, and goes on after one that cannot be.
func (f *deadFlags) each(cmd *cobra.Command, q *queue.Queue, args []string, do func(id uint64) (settled, string, error)) error {
	ids, err := f.ids(cmd.Context(), q, args)
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		result, text, err := do(id)
		if err != nil {
			errs = append(errs, err)
			result = settled{ID: id, Settled: "no", Error: err.Error()}
		}
		switch {
		case f.output == jsonFormat:
			writeResult(cmd, line(result))
		case err == nil:
			writeResult(cmd, fmt.Appendf(nil, "dead letter %d: %s\n", id, text))
		}
	}
	if len(errs) > 0 {
		hint := ""
		if errors.Is(errors.Join(errs...), queue.ErrMayRepeat) {
			hint = "To retry all the same, and perhaps notify twice, add --accept-repeat."
		}
		return &exitError{code: exitNot, err: errors.Join(errs...), hint: hint}
	}
	return nil
}

func retryDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, args []string) error {
	return f.each(cmd, q, args, func(id uint64) (settled, string, error) {
		ticket, err := q.Retry(cmd.Context(), id, f.acceptRepeat)
		return settled{ID: id, Settled: "retried", IdempotencyKey: ticket.IdempotencyKey},
			"back in the queue, under the key " + ticket.IdempotencyKey, err
	})
}

func dropDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, args []string) error {
	return f.each(cmd, q, args, func(id uint64) (settled, string, error) {
		return settled{ID: id, Settled: "dropped"}, "dropped", q.Drop(cmd.Context(), id)
	})
}
