package wrapper

import "fmt"

// Outcome says what an error leaves open: whether the notification may go out.
type Outcome int

const (
	// Unknown: at least one attempt may have queued the notification, and no answer
	// says so. Send it again under the same idempotency key within 24 hours, and
	// Whop will not queue it twice.
	Unknown Outcome = iota
	// NotSent: no attempt can have reached Whop's handler.
	NotSent
	// Rejected: Whop answered that it did not queue the notification.
	Rejected
)

// String returns "unknown", "not sent" or "rejected".
func (o Outcome) String() string {
	switch o {
	case Unknown:
		return "unknown"
	case NotSent:
		return "not sent"
	case Rejected:
		return "rejected"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// and returns the outcome of two attempts together: doubt outlasts every later answer,
// and an answer outlasts what was never sent.
func (o Outcome) and(next Outcome) Outcome {
	switch {
	case o == Unknown || next == Unknown:
		return Unknown
	case o == Rejected || next == Rejected:
		return Rejected
	}
	return NotSent
}
