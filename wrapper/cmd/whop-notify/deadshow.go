package main

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

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
	text := line(r)
	if f.output == textFormat {
		text = table("", r.rows())
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

// rows returns the fields for a person.
func (r deadResult) rows() []row {
	number, first, spent, body := "", "", "", r.Body
	if r.KeySpent {
		spent = "Whop repeats its refusal to it; a retry takes another one"
	}
	if r.Line > 0 {
		number = strconv.Itoa(r.Line)
	}
	if !r.FirstAttempt.IsZero() {
		first = r.FirstAttempt.Format(time.RFC3339)
	}
	if r.Notification != nil {
		body = string(r.Notification)
	}
	return []row{
		{"id", strconv.FormatUint(r.ID, 10)},
		{"line", number},
		{"outcome", r.Outcome},
		{"reason", r.Reason},
		{"idempotency key", r.IdempotencyKey},
		{"key spent", spent},
		{"deliveries", strconv.Itoa(r.Deliveries)},
		{"enqueued", r.EnqueuedAt.Format(time.RFC3339)},
		{"first attempt", first},
		{"died", r.DiedAt.Format(time.RFC3339)},
		{"notification", body},
	}
}

// deadResult is a dead letter, as --output json shows it.
type deadResult struct {
	ID             uint64          `json:"id"`
	Line           int             `json:"line,omitempty"` // of the file of a batch
	Outcome        string          `json:"outcome"`
	IdempotencyKey string          `json:"idempotency_key"`
	KeySpent       bool            `json:"key_spent,omitempty"` // Whop replays its refusal to the key
	Reason         string          `json:"reason"`
	Deliveries     int             `json:"deliveries"`
	EnqueuedAt     time.Time       `json:"enqueued_at"`
	DiedAt         time.Time       `json:"died_at"`
	FirstAttempt   time.Time       `json:"first_attempt,omitzero"`
	Notification   json.RawMessage `json:"notification,omitempty"`
	Body           string          `json:"body,omitempty"` // if it is not a notification
}

func deadLine(d queue.DeadLetter) deadResult {
	r := deadResult{
		ID: d.ID, Line: lineOf(d.Position), Outcome: d.Outcome.String(), IdempotencyKey: d.IdempotencyKey, KeySpent: d.KeySpent,
		Reason: d.Reason, Deliveries: d.Deliveries, EnqueuedAt: d.EnqueuedAt, DiedAt: d.DiedAt, FirstAttempt: d.FirstAttempt,
	}
	if json.Valid(d.Body) && utf8.Valid(d.Body) {
		r.Notification = d.Body
	} else {
		r.Body = string(d.Body)
	}
	return r
}
