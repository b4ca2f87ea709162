package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// relayed is what has become of a notification.
type relayed struct {
	Key string `json:"idempotency_key"`
	// State is waiting, retrying, queued (at Whop) or dead.
	State string `json:"state"`
	// Attempts is how often a worker has had it. Of one that is queued at Whop that is not kept
	// for long: there were at least so many.
	Attempts   int       `json:"attempts"`
	Outcome    string    `json:"outcome,omitempty"` // of a dead one
	Reason     string    `json:"reason,omitempty"`  // why it is dead, or not sent yet
	EnqueuedAt time.Time `json:"enqueued_at,omitzero"`
}

// find looks for a key. One that was canceled or dropped is as one that is not known.
func (h *relayHandler) find(ctx context.Context, key string) (relayed, *relayError) {
	unknown := &relayError{
		status: http.StatusNotFound, reason: "unknown_key", param: "idempotency_key",
		message: "No notification came under this idempotency key within the last 24 hours, or it was canceled or dropped.",
	}
	if checkKey(key) != nil {
		return relayed{}, unknown
	}
	ctx, cancel := context.WithTimeout(ctx, relayStoreTime)
	defer cancel()
	found, err := h.queue.Find(ctx, key)
	switch {
	case errors.Is(err, queue.ErrUnknownKey), err == nil && found.State == queue.Canceled:
		return relayed{}, unknown
	case err != nil:
		h.warn("the queue could not be asked for a notification", err)
		return relayed{}, unavailable("The queue of the relay does not answer: try again.")
	}
	answer := relayed{Key: key, State: "waiting", Attempts: found.Deliveries, Reason: found.Reason, EnqueuedAt: found.EnqueuedAt}
	switch {
	case found.State == queue.Sent:
		answer.State, answer.Attempts, answer.Reason = "queued", max(1, found.Deliveries), ""
	case found.State == queue.Dead:
		answer.State, answer.Outcome = "dead", found.Outcome.String()
	case found.Retrying:
		answer.State = "retrying"
	}
	return answer, nil
}
