package queue_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// What can no longer be sent, and was attempted before, is in doubt.
func TestAnInvalidOneThatWasAttemptedIsInDoubt(t *testing.T) {
	t.Parallel()
	q := newQueue(t)
	for _, header := range []nats.Header{
		{"Whop-Id": {"7"}, "Whop-Deliveries": {"1"}, "Whop-First-Attempt": {time.Now().Add(-time.Minute).Format(time.RFC3339Nano)}},
		{"Whop-Id": {"8"}, "Whop-Deliveries": {"1"}},
	} {
		m := nats.NewMsg("whop-notify.due." + header.Get("Whop-Id"))
		m.Data, m.Header = []byte(`{"company_id":"biz_1","title":"T","content":"C","of_a_later_version":1}`), header
		header.Set("Whop-Idempotency-Key", "k")
		_, err := streams(t, q).PublishMsg(t.Context(), m)
		require.NoError(t, err)
	}
	m := nats.NewMsg("whop-notify.begun.9.1")
	m.Data = fmt.Appendf(nil, `{"by":"a worker that was killed","at":%q}`, time.Now().Add(-time.Minute).Format(time.RFC3339))
	_, err := streams(t, q).PublishMsg(t.Context(), m)
	require.NoError(t, err)
	m = nats.NewMsg("whop-notify.due.9")
	m.Data, m.Header = []byte("{}"), nats.Header{"Whop-Id": {"9"}, "Whop-Deliveries": {"1"}, "Whop-Idempotency-Key": {"k"}}
	_, err = streams(t, q).PublishMsg(t.Context(), m)
	require.NoError(t, err)
	work(t, q, newClient(t, whoptest.NewServer(t)), 1)
	require.True(t, waitFor(func() bool { return len(graveyard(t, q)) == 3 }))
	outcomes := map[whop.Outcome]int{}
	for _, letter := range graveyard(t, q) {
		outcomes[letter.Outcome]++
		require.Equal(t, letter.Outcome == whop.Unknown, !letter.FirstAttempt.IsZero())
	}
	require.Equal(t, map[whop.Outcome]int{whop.Unknown: 2, whop.NotSent: 1}, outcomes)
}

// Whoever can publish can put anything anywhere. The queue sets each aside, and goes on.
func TestPoison(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	nc := embedded(t, t.TempDir())
	var log book
	q := open(t, nc, queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	const escape, good = "\x1b[2J\u202e", `{"company_id":"biz_1","title":"T","content":"C"}`
	large := func(n int) string {
		return fmt.Sprintf(`{"company_id":"biz_1","title":"T","content":"%s"}`, strings.Repeat("x", n))
	}
	put(t, q, "whop-notify.send.plain", "", jetstream.MsgIDHeader, "empty")
	put(t, q, "whop-notify.send.plain", escape, jetstream.MsgIDHeader, "no JSON "+escape)
	put(t, q, "whop-notify.send.plain", `{"company_id":"biz_`+escape+`"}`, jetstream.MsgIDHeader, "no title")
	put(t, q, "whop-notify.send.plain", good)
	put(t, q, "whop-notify.send.plain", large(8<<20-300), jetstream.MsgIDHeader, "too large to be tried again")
	put(t, q, "whop-notify.send.plain", large(8<<20-9<<10), jetstream.MsgIDHeader, "nearly too large")
	put(t, q, "whop-notify.send.elsewhere", good, jetstream.MsgIDHeader, "good 1", "Whop-Not-Before", "yesterday", "Whop-Position", "-1")
	put(t, q, "whop-notify.due.x", good)
	put(t, q, "whop-notify.due.7", good, "Whop-Id", "99999999999999999999", "Whop-Deliveries", "-3")
	put(t, q, "whop-notify.due.8", good, "Whop-Id", "1000000", "Whop-Idempotency-Key", "good 2", "Whop-Deliveries", "99999999999", "Whop-First-Attempt", "soon")
	put(t, q, "whop-notify.dead.9", good, "Whop-Reason", escape+"\tmischief", "Whop-Outcome", escape)
	put(t, q, "whop-notify.begun.x", escape)
	put(t, q, "whop-notify.begun.11.0", `{"by":1}`)
	put(t, q, "whop-notify.send.plain", good, jetstream.MsgIDHeader, "good 3")
	put(t, q, "whop-notify.send.numbered", `{"company_id":"biz_1","title":"T","content":"D"}`, jetstream.MsgIDHeader, "good 4", "Whop-Position", "1e99")
	kv, err := streams(t, q).KeyValue(t.Context(), "whop-notify-limits")
	require.NoError(t, err)
	for _, key := range []string{"attempts", "success", "x"} {
		_, err = kv.Put(t.Context(), key, []byte(`{"t":`+escape))
		require.NoError(t, err)
	}

	position, err := q.Position(t.Context())
	require.NoError(t, err)
	require.Zero(t, position)
	_, err = q.EnqueueAt(t.Context(), numbered(5), 1)
	require.NoError(t, err)
	work(t, q, newClient(t, server, whop.WithLimiter(q.Limiter(600))), 4)
	require.True(t, waitFor(func() bool { return len(server.Queued()) == 6 }), "those that are good, and the one that is nearly too large")
	require.True(t, waitFor(func() bool { return len(graveyard(t, q)) == 6 }), "those that are not, and one that somebody else buried")
	require.True(t, waitFor(func() bool { s := counts(t, q); return s.Waiting+s.InFlight+s.Retrying == 0 }))
	for _, letter := range graveyard(t, q) {
		for _, r := range letter.Reason {
			require.True(t, unicode.IsPrint(r), "%q", letter.Reason)
		}
	}
	require.NotContains(t, log.String(), "\x1b")
	require.NotContains(t, log.String(), "\u202e")
	_, err = q.Stats(t.Context())
	require.NoError(t, err)
}

// A time far ahead from a wrong clock, or an impossible count, must not stop everybody.
func TestALimiterOvercomesValuesThatCannotBe(t *testing.T) {
	t.Parallel()
	far := time.Now().Add(240 * time.Hour).UnixMilli()
	for name, value := range map[string]string{
		"no JSON":         `{`,
		"other JSON":      `{"next":"2026-01-01"}`,
		"far ahead":       fmt.Sprintf(`[{"t":%d,"n":1}]`, far),
		"negative":        fmt.Sprintf(`[{"t":%d,"n":-5}]`, time.Now().UnixMilli()),
		"too much at all": `[{"t":9223372036854775807,"n":1,"r":1}]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := newQueue(t)
			kv, err := streams(t, q).KeyValue(t.Context(), q.Name()+"-limits")
			require.NoError(t, err)
			_, err = kv.Put(t.Context(), "attempts", []byte(value))
			require.NoError(t, err)
			start := time.Now()
			limiter := q.Limiter(600)
			for range 3 {
				require.NoError(t, limiter.Wait(t.Context()))
			}
			require.Less(t, time.Since(start), 10*time.Second)
		})
	}
}
