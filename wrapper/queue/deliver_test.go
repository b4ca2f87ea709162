package queue_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Whop's answer decides what happens to a notification.
func TestFates(t *testing.T) {
	t.Parallel()
	replayed := func(r whoptest.Reply) whoptest.Reply { return r.WithHeader("Idempotent-Replayed", "true") }
	const sent, dead = "sent", "dead"
	for name, c := range map[string]struct {
		first    whoptest.Reply
		requests int // until its fate
		fate     string
		outcome  whop.Outcome
	}{
		"queued":                    {whoptest.Serve(), 1, sent, 0},
		"500":                       {whoptest.Error(500, "", "No."), 2, sent, 0},
		"503 after it was queued":   {whoptest.Error(503, "", "No.").AfterQueueing(), 2, sent, 0},
		"429":                       {whoptest.RateLimited(time.Second), 2, sent, 0},
		"408":                       {whoptest.Error(408, "", "No."), 2, sent, 0},
		"reset":                     {whoptest.Reset(), 2, sent, 0},
		"reset after queueing":      {whoptest.Reset().AfterQueueing(), 2, sent, 0},
		"409 in progress":           {whoptest.Error(409, "idempotency_request_in_progress", "No."), 2, sent, 0},
		"a 401 that passes":         {whoptest.Error(401, "", "No."), 2, sent, 0},
		"a redirect that passes":    {whoptest.Raw(302, "text/html", ""), 2, sent, 0},
		"400":                       {whoptest.Error(400, "", "No."), 1, dead, whop.Rejected},
		"a 403 that passes":         {whoptest.Error(403, "", "No."), 2, sent, 0},
		"a 404 that passes":         {whoptest.Error(404, "", "No."), 2, sent, 0},
		"a 403 of the key":          {replayed(whoptest.Error(403, "", "No.")), 1, dead, whop.Rejected},
		"422":                       {whoptest.Error(422, "", "No."), 1, dead, whop.Rejected},
		"409 otherwise":             {whoptest.Error(409, "", "No."), 1, dead, whop.Rejected},
		"mismatch":                  {whoptest.Error(400, "idempotency_key_mismatch", "No."), 1, dead, whop.Rejected},
		"success false":             {whoptest.NotQueued(), 1, dead, whop.Rejected},
		"a 401 of the key":          {replayed(whoptest.Error(401, "", "No.")), 1, dead, whop.Rejected},
		"a 429 of the caller's key": {replayed(whoptest.RateLimited(time.Second)), 1, dead, whop.Rejected},
		"200 not understood":        {whoptest.Raw(200, "text/html", "<h1>Log in</h1>"), 2, sent, 0},
		"500 that forbids a retry":  {whoptest.Error(500, "", "No.").WithHeader("X-Should-Retry", "false"), 1, dead, whop.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.Script(c.first)
			var mu sync.Mutex
			var events []queue.Event
			q := newQueue(t, queue.WithObserver(func(_ context.Context, e queue.Event) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e)
			}))
			enqueue(t, q, numbered(1))
			stop := work(t, q, newClient(t, server, once), 1)
			if c.fate == sent {
				eventually(t, q, queue.Stats{Sent: 1})
			} else {
				eventually(t, q, queue.Stats{Dead: 1})
			}
			require.NoError(t, stop())
			require.Len(t, server.Requests(), c.requests)
			for _, r := range server.Requests() {
				require.Equal(t, "invoice-1", r.IdempotencyKey)
			}
			require.Len(t, events, c.requests)
			for i, e := range events {
				last := i == c.requests-1
				require.Equal(t, i+1, e.Delivery)
				require.Equal(t, !last, e.RetryIn > 0)
				require.Equal(t, last && c.fate == dead, e.Dead)
				require.Equal(t, c.outcome, e.Outcome)
				require.Equal(t, last && c.fate == sent, e.Receipt != nil)
				require.Equal(t, e.Receipt == nil, e.Err != nil)
				require.Equal(t, numbered(1), e.Notification)
			}
			letters := graveyard(t, q)
			if c.fate == sent {
				require.Len(t, server.Queued(), 1)
				require.Empty(t, letters)
				return
			}
			require.Empty(t, server.Queued())
			require.Len(t, letters, 1)
			letter := letters[0]
			require.Equal(t, c.outcome, letter.Outcome)
			require.Equal(t, numbered(1), letter.Notification)
			require.Equal(t, "invoice-1", letter.IdempotencyKey)
			require.Equal(t, 1, letter.Deliveries)
			require.Contains(t, letter.Reason, events[0].Err.Error())
			require.WithinDuration(t, time.Now(), letter.EnqueuedAt, time.Minute)
			require.WithinDuration(t, time.Now(), letter.DiedAt, time.Minute)
			require.Equal(t, c.outcome == whop.Unknown, !letter.FirstAttempt.IsZero())
		})
	}
}

// Whop replays a refusal to a key. The queue replaces a key that it generated.
func TestARememberedRateLimitTakesANewKeyIfTheQueueMadeUpTheOldOne(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.RateLimitedAfter(time.Millisecond).Remembered())
	q := newQueue(t)
	ticket := enqueue(t, q, paid)
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Queued(), 1)
	require.Equal(t, ticket.IdempotencyKey, server.Requests()[0].IdempotencyKey)
	require.NotEqual(t, ticket.IdempotencyKey, server.Queued()[0].IdempotencyKey)
	require.Empty(t, graveyard(t, q))
}

// After a doubtful delivery nothing is certain any more.
func TestDoubtOutlastsALaterRefusal(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Reset().AfterQueueing(), whoptest.Error(422, "", "No."))
	outcomes := make(chan whop.Outcome, 1)
	q := newQueue(t, queue.WithObserver(func(_ context.Context, e queue.Event) {
		if e.Dead {
			outcomes <- e.Outcome
		}
	}))
	enqueue(t, q, numbered(1))
	work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	letter := graveyard(t, q)[0]
	require.Equal(t, whop.Unknown, letter.Outcome)
	require.Equal(t, whop.Unknown, <-outcomes)
	require.Equal(t, 2, letter.Deliveries)
	require.Contains(t, letter.Reason, "422")
}

func TestTheServersWaitIsKept(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Error(503, "", "Busy").WithHeader("Retry-After", "3"))
	q := newQueue(t)
	enqueue(t, q, numbered(1))
	work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	requests := server.Requests()
	waited := requests[1].Time.Sub(requests[0].Time)
	require.GreaterOrEqual(t, waited, 3*time.Second)
	require.Less(t, waited, 10*time.Second)
}

func TestAPoisonedNotificationBlocksNobody(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		if r.IdempotencyKey == "invoice-0" {
			return whoptest.Error(500, "", "This one always fails.")
		}
		return whoptest.Serve()
	})
	nc := embedded(t, t.TempDir())
	q := open(t, nc)
	const n = 100
	for i := range n {
		enqueue(t, q, numbered(i))
	}
	m := nats.NewMsg("whop-notify.send.plain")
	m.Data = []byte(`{"company_id":"biz_1","experience_id":"exp_1"}`) // from another publisher
	m.Header.Set(jetstream.MsgIDHeader, "from elsewhere")
	require.NoError(t, nc.PublishMsg(m))
	stop := work(t, q, newClient(t, server, once), 1)
	eventually(t, q, queue.Stats{Retrying: 1, Sent: n - 1, Dead: 1})
	require.NoError(t, stop())
	letter := graveyard(t, q)[0]
	require.Equal(t, whop.NotSent, letter.Outcome)
	require.Equal(t, string(m.Data), string(letter.Body))
	require.Equal(t, whop.Notification{}, letter.Notification)
	require.Contains(t, letter.Reason, "two targets")
	require.Len(t, server.Queued(), n-1)
}

// In an outage the workers must not go through the whole queue: each attempt that times
// out starts the clock of a key.
func TestAnOutageDoesNotGoThroughTheQueue(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(503, "", "Down") })
	q := newQueue(t)
	const n = 500
	for i := range n {
		enqueue(t, q, numbered(i))
	}
	work(t, q, newClient(t, server, once), 4)
	time.Sleep(4 * time.Second)
	keys := map[string]bool{}
	for _, r := range server.Requests() {
		keys[r.IdempotencyKey] = true
	}
	require.Less(t, len(keys), n/4)
	server.ScriptFunc(nil)
	eventually(t, q, queue.Stats{Sent: n})
	require.Len(t, server.Queued(), n)
}

// The time that a caller gives Work or WatchDead may end at any moment, without a word.
func TestADeadlineEndsInSilence(t *testing.T) {
	t.Parallel()
	var log book
	q := newQueue(t, queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	watched := make(chan error)
	go func() {
		watched <- q.WatchDead(ctx, "reader", func(context.Context, queue.DeadLetter) error { return nil })
	}()
	require.NoError(t, q.Work(ctx, newClient(t, whoptest.NewServer(t)), 2))
	require.NoError(t, <-watched)
	require.Empty(t, log.String())
}

func TestWorkDrainsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	arrived, proceed := make(chan struct{}, 2), make(chan struct{})
	slow := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		arrived <- struct{}{}
		<-proceed
		return http.DefaultTransport.RoundTrip(r)
	})}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	q := newQueue(t)
	for i := range 20 {
		enqueue(t, q, numbered(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- q.Work(ctx, newClient(t, server, whop.WithHTTPClient(slow)), 2) }()
	<-arrived
	<-arrived
	cancel()
	close(proceed)
	require.NoError(t, <-ended)
	require.Len(t, server.Queued(), 2)
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), stats.LastSuccess, 10*time.Second)

	// A notification fetched but not begun is free at once.
	start := time.Now()
	work(t, q, newClient(t, server), 2)
	eventually(t, q, queue.Stats{Sent: 20})
	require.Less(t, time.Since(start), 8*time.Second)
	require.Len(t, server.Requests(), 20)
}

func TestADrainHasAnEnd(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.Script(whoptest.Stall().AfterQueueing())
	q := newQueue(t, queue.WithDrainTimeout(50*time.Millisecond))
	enqueue(t, q, numbered(1))
	stop := work(t, q, newClient(t, server), 1)
	require.True(t, waitFor(func() bool { return len(server.Requests()) == 1 }))
	start := time.Now()
	require.NoError(t, stop())
	require.Less(t, time.Since(start), 10*time.Second)

	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Queued(), 1)
}

// A worker that is busy for longer than ackWait keeps its notification.
func TestASlowAttemptIsNotGivenToAnotherWorker(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	arrived := make(chan struct{}, 2)
	slow := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		arrived <- struct{}{}
		time.Sleep(redelivery)
		return http.DefaultTransport.RoundTrip(r)
	})}
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	q := newQueue(t)
	enqueue(t, q, numbered(1))
	work(t, q, newClient(t, server, whop.WithHTTPClient(slow), whop.WithUserAgent("slow")), 1)
	<-arrived
	work(t, q, newClient(t, server), 1)
	eventually(t, q, queue.Stats{Sent: 1})
	require.Len(t, server.Requests(), 1)
	require.Contains(t, server.Requests()[0].Header.Get("User-Agent"), "slow")
}

// Several workers share the notifications; each goes to one worker.
func TestWorkersShareTheLoad(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	const n, workers = 400, 4
	for i := range n {
		enqueue(t, q, numbered(i))
	}
	for i := range workers {
		work(t, q, newClient(t, server, whop.WithUserAgent(fmt.Sprintf("worker-%d", i))), 4)
	}
	eventually(t, q, queue.Stats{Sent: n})
	require.Len(t, server.Queued(), n)
	agents := map[string]int{}
	for _, r := range server.Requests() {
		agents[r.Header.Get("User-Agent")]++
	}
	require.Len(t, agents, workers)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
