package queue

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// The headers of a stored notification. Its data is the body of the request, exactly. See
// README.md for which message has which.
const (
	keyHeader          = "Whop-Idempotency-Key" // else the message id is the key
	generatedHeader    = "Whop-Key-Generated"   // the queue generated the key, and may replace it
	spentHeader        = "Whop-Key-Spent"       // Whop replayed a refusal to the key: it cannot succeed
	positionHeader     = "Whop-Position"        // of EnqueueAt
	notBeforeHeader    = "Whop-Not-Before"
	ticketHeader       = "Whop-Ticket" // of the call that enqueued it
	idHeader           = "Whop-Id"     // its number in the line
	letterHeader       = "Whop-Letter" // the ID of the dead letter that Retry put back
	deliveriesHeader   = "Whop-Deliveries"
	enqueuedHeader     = "Whop-Enqueued"
	firstAttemptHeader = "Whop-First-Attempt"
	refusedHeader      = "Whop-Refused-Since"
	reasonHeader       = "Whop-Reason"
	outcomeHeader      = "Whop-Outcome" // of a dead letter
)

const (
	// maxReason is the most of an error that is kept with a notification, in bytes.
	maxReason = 4 << 10
	// headroom is the most that headers may add to a body, in bytes.
	headroom = 16 << 10
)

// item is a notification in the queue.
type item struct {
	notification whop.Notification // with its key
	body         []byte
	key          string
	generated    bool
	spent        bool
	position     uint64    // 0: none
	notBefore    time.Time // zero: at once
	ticket       string    // of the call that enqueues it; dropped after that

	id         uint64 // its number in the line; 0: not stored yet
	letter     uint64 // the dead letter that it was; 0: none, or removed
	deliveries int    // ended ones; each stored a new message
	enqueued   time.Time
	// firstAttempt is when Whop may first have queued it; zero if no attempt left that in
	// doubt.
	firstAttempt time.Time
	refusedSince time.Time // by the server's clock: first refusal that may be about the credential; zero if none
	reason       string    // why the last delivery failed
}

// message encodes an item. A message id makes JetStream store it once within 24 hours.
func (it *item) message(subject, id string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = it.body
	set := func(name, value string) {
		if value != "" {
			m.Header.Set(name, value)
		}
	}
	set(jetstream.MsgIDHeader, id)
	if id != it.key {
		set(keyHeader, it.key)
	}
	set(ticketHeader, it.ticket)
	set(generatedHeader, formatTrue(it.generated))
	set(spentHeader, formatTrue(it.spent))
	set(positionHeader, formatNumber(it.position))
	set(idHeader, formatNumber(it.id))
	set(letterHeader, formatNumber(it.letter))
	set(deliveriesHeader, formatNumber(uint64(it.deliveries)))
	set(notBeforeHeader, formatTime(it.notBefore))
	set(enqueuedHeader, formatTime(it.enqueued))
	set(firstAttemptHeader, formatTime(it.firstAttempt))
	set(refusedHeader, formatTime(it.refusedSince))
	set(reasonHeader, it.reason)
	return m
}

// itemOf decodes a message. If it returns an error, the notification is invalid, and the rest
// is set as far as it could be read.
func itemOf(header nats.Header, data []byte) (item, error) {
	it := item{
		body:         data,
		key:          header.Get(keyHeader),
		generated:    header.Get(generatedHeader) == trueValue,
		spent:        header.Get(spentHeader) == trueValue,
		position:     parseNumber(header.Get(positionHeader)),
		id:           parseNumber(header.Get(idHeader)),
		letter:       parseNumber(header.Get(letterHeader)),
		deliveries:   int(min(parseNumber(header.Get(deliveriesHeader)), 1<<30)),
		notBefore:    parseTime(header.Get(notBeforeHeader)),
		enqueued:     parseTime(header.Get(enqueuedHeader)),
		firstAttempt: parseTime(header.Get(firstAttemptHeader)),
		refusedSince: parseTime(header.Get(refusedHeader)),
		reason:       oneLine(header.Get(reasonHeader)),
	}
	if it.key == "" {
		it.key = header.Get(jetstream.MsgIDHeader)
	}
	if err := it.notification.UnmarshalJSON(data); err != nil {
		return it, err
	}
	it.notification = it.notification.WithIdempotencyKey(it.key)
	return it, it.notification.Validate()
}

const trueValue = "true"

func formatTrue(b bool) string {
	if b {
		return trueValue
	}
	return ""
}

func formatNumber(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func parseNumber(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0 // also a number out of range
	}
	return n
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// parseTime reads the time in a header. It returns the zero time for one that no queue can have
// written.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

// oneLine makes a text fit for a header, a log and a terminal: one line of valid UTF-8,
// without control characters, of at most maxReason bytes.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(strings.ToValidUTF8(s[:min(len(s), maxReason)], ""))
}
