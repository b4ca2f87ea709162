package queue

import (
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// The headers of a queued notification. Its data is the body of the request, exactly, and
// its message id the idempotency key, unless keyHeader says otherwise.
const (
	keyHeader          = "Whop-Idempotency-Key"
	generatedHeader    = "Whop-Key-Generated" // by the queue, which may then choose another
	positionHeader     = "Whop-Position"      // in the source that EnqueueAt went through
	firstAttemptHeader = "Whop-First-Attempt" // before it was a dead letter; RFC 3339
	trueValue          = "true"
)

// item is a notification in the queue.
type item struct {
	notification whop.Notification // with its key
	body         []byte
	key          string
	generated    bool
	position     uint64    // 0: none
	firstAttempt time.Time // zero: none that is known of before it was enqueued
}

// message encodes an item under an id by which JetStream knows it again, if it is to.
func (it *item) message(subject, id string) *nats.Msg {
	m := nats.NewMsg(subject)
	m.Data = it.body
	if id != "" {
		m.Header.Set(jetstream.MsgIDHeader, id)
	}
	if id != it.key {
		m.Header.Set(keyHeader, it.key)
	}
	if it.generated {
		m.Header.Set(generatedHeader, trueValue)
	}
	if it.position > 0 {
		m.Header.Set(positionHeader, strconv.FormatUint(it.position, 10))
	}
	setTime(m.Header, firstAttemptHeader, it.firstAttempt)
	return m
}

// itemOf decodes a message. Where the error is not nil, the notification is not valid; the
// rest is as far as it could be read.
func itemOf(header nats.Header, data []byte) (item, error) {
	it := item{body: data, key: header.Get(keyHeader), generated: header.Get(generatedHeader) == trueValue}
	if it.key == "" {
		it.key = header.Get(jetstream.MsgIDHeader)
	}
	it.position = positionOf(header)
	it.firstAttempt = timeOf(header, firstAttemptHeader)
	if err := it.notification.UnmarshalJSON(data); err != nil {
		return it, err
	}
	it.notification = it.notification.WithIdempotencyKey(it.key)
	return it, it.notification.Validate()
}

func positionOf(header nats.Header) uint64 {
	value := header.Get(positionHeader)
	if value == "" {
		return 0
	}
	n, _ := strconv.ParseUint(value, 10, 64)
	return n
}

func setTime(header nats.Header, name string, t time.Time) {
	if !t.IsZero() {
		header.Set(name, t.UTC().Format(time.RFC3339Nano))
	}
}

func timeOf(header nats.Header, name string) time.Time {
	value := header.Get(name)
	if value == "" {
		return time.Time{}
	}
	t, _ := time.Parse(time.RFC3339Nano, value)
	return t
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
