package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// ids returns the requested IDs.
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

// settled is the result for one dead letter, as --output json shows it.
type settled struct {
	ID             uint64 `json:"id"`
	Settled        string `json:"settled"` // retried, dropped, or no
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	Error          string `json:"error,omitempty"`
}

// each settles dead letters one after the other, and says at once what became of each. It goes on
// after a failure that concerns the one alone.
func (f *deadFlags) each(cmd *cobra.Command, q *queue.Queue, args []string, do func(id uint64) (settled, string, error)) error {
	ids, err := f.ids(cmd.Context(), q, args)
	if err != nil {
		return err
	}
	if f.all && len(ids) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "no dead letters")
	}
	failed, hint := 0, ""
	for i, id := range ids {
		result, text, err := do(id)
		if f.all && errors.Is(err, queue.ErrNoDeadLetter) {
			continue // somebody else has settled it since it was listed
		}
		if err != nil {
			failed++
			result = settled{ID: id, Settled: "no", Error: err.Error()}
			report(cmd.ErrOrStderr(), cmd, asExit(err))
		}
		switch {
		case f.output == jsonFormat:
			writeSummary(cmd, line(result))
		case err == nil:
			writeSummary(cmd, fmt.Appendf(nil, "dead letter %d: %s\n", id, text))
		}
		switch left := len(ids) - i - 1; {
		case errors.Is(err, queue.ErrMayRepeat):
			hint = "To retry all the same, and perhaps notify twice, add --accept-repeat."
		case err != nil && !concernsOne(err) && left > 0:
			return &exitError{code: exitNot, err: fmt.Errorf("stopped there, with %d more to go", left), hint: "They are as they were: run the same command again for them."}
		}
	}
	if failed > 0 {
		return &exitError{code: exitNot, err: fmt.Errorf("not settled: %d of %d dead letters", failed, len(ids)), hint: hint}
	}
	return nil
}

// concernsOne reports whether an error is about one dead letter, and not about the queue.
func concernsOne(err error) bool {
	for _, about := range []error{queue.ErrNoDeadLetter, queue.ErrMayRepeat, whop.ErrInvalidNotification} {
		if errors.Is(err, about) {
			return true
		}
	}
	return false
}

func retryDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, args []string) error {
	return f.each(cmd, q, args, func(id uint64) (settled, string, error) {
		ticket, err := q.Retry(cmd.Context(), id, f.acceptRepeat)
		return settled{ID: id, Settled: "retried", IdempotencyKey: ticket.IdempotencyKey},
			"back in the queue, under the key " + oneLine(ticket.IdempotencyKey), err
	})
}

func dropDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, args []string) error {
	return f.each(cmd, q, args, func(id uint64) (settled, string, error) {
		if f.ledger != nil { // before: a batch that finds neither letter nor record sends the line again
			letter, err := q.DeadLetter(cmd.Context(), id)
			if err == nil {
				err = f.ledger.mark(lineOf(letter.Position), dropped(letter.Outcome))
			}
			if err != nil {
				return settled{}, "", err
			}
		}
		return settled{ID: id, Settled: "dropped"}, "dropped", q.Drop(cmd.Context(), id)
	})
}
