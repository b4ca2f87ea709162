package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

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

// each settles dead letters one after the other. It goes on after a failure.
func (f *deadFlags) each(cmd *cobra.Command, q *queue.Queue, args []string, do func(id uint64) (settled, string, error)) error {
	ids, err := f.ids(cmd.Context(), q, args)
	if err != nil {
		return err
	}
	if f.all && len(ids) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "no dead letters")
	}
	var errs []error
	for _, id := range ids {
		result, text, err := do(id)
		if f.all && errors.Is(err, queue.ErrNoDeadLetter) {
			continue // somebody else has settled it since it was listed
		}
		if err != nil {
			errs = append(errs, err)
			result = settled{ID: id, Settled: "no", Error: err.Error()}
		}
		switch {
		case f.output == jsonFormat:
			writeSummary(cmd, line(result))
		case err == nil:
			writeSummary(cmd, fmt.Appendf(nil, "dead letter %d: %s\n", id, text))
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
