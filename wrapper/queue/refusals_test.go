package queue_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// to returns a notification to its own company.
func to(company string, i int) whop.Notification {
	return whop.ToCompany(company, whop.Message{Title: "T", Content: "C"}).WithIdempotencyKey(fmt.Sprintf("%s-%d", company, i))
}

// A wrong key, permission or address is not the notifications' fault. None may become a dead
// letter because of it, and the worker returns an error that says so.
func TestWhatRefusesEverythingStopsTheWorkAndBuriesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply   whoptest.Reply
		n       int // notifications
		targets int
		want    error
	}{
		"401, to five targets":   {whoptest.Error(401, "", "Who are you?"), 200, 5, whop.ErrUnauthorized},
		"404, all there are":     {whoptest.Error(404, "", "Nothing here."), 200, 1, whop.ErrNotFound},
		"403, one there is":      {whoptest.Error(403, "", "You may not."), 1, 1, whop.ErrForbidden},
		"405":                    {whoptest.Raw(405, "text/html", ""), 3, 1, whop.ErrBadRequest},
		"410":                    {whoptest.Error(410, "gone", "Gone."), 3, 1, whop.ErrBadRequest},
		"302, to five targets":   {whoptest.Raw(302, "text/html", ""), 50, 5, whop.ErrRedirect},
		"303, which is in doubt": {whoptest.Raw(303, "text/html", ""), 50, 5, whop.ErrRedirect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return c.reply })
			q := newQueue(t)
			for i := range c.n {
				enqueue(t, q, to(fmt.Sprintf("biz_%d", i%c.targets), i))
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			start := time.Now()
			err := q.Work(ctx, newClient(t, server), 4)
			require.ErrorContains(t, err, "Whop refused everything")
			if c.want != whop.ErrBadRequest {
				require.ErrorIs(t, err, c.want)
			}
			require.Greater(t, time.Since(start), 5*time.Second, "a moment of refusals is no reason")
			stats := counts(t, q)
			require.Zero(t, stats.Dead)
			require.Equal(t, c.n, stats.Waiting+stats.InFlight+stats.Retrying)

			server.ScriptFunc(nil)
			work(t, q, newClient(t, server), 4)
			eventually(t, q, queue.Stats{Sent: c.n})
			require.Len(t, server.Queued(), c.n)
		})
	}
}

// A wrong target in a quiet queue stops nothing, if Whop has accepted others lately, also from
// an earlier worker.
func TestARefusalOfTheLastOneIsADeadLetter(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		switch {
		case strings.HasPrefix(r.IdempotencyKey, "biz_bad"):
			return whoptest.Error(404, "", "Not this one.")
		case strings.HasPrefix(r.IdempotencyKey, "biz_late"):
			return whoptest.Error(401, "", "Who are you?")
		case strings.HasPrefix(r.IdempotencyKey, "biz_any"):
			return whoptest.Error(403, "", "You may not.")
		}
		return whoptest.Serve()
	})
	q := newQueue(t)
	stop := work(t, q, newClient(t, server), 1)
	enqueue(t, q, to("biz_good", 0))
	eventually(t, q, queue.Stats{Sent: 1})
	enqueue(t, q, to("biz_bad", 0))
	eventually(t, q, queue.Stats{Sent: 1, Dead: 1})
	require.NoError(t, stop())
	stop = work(t, q, newClient(t, server), 1)
	enqueue(t, q, to("biz_bad", 1))
	eventually(t, q, queue.Stats{Sent: 1, Dead: 2})
	require.NoError(t, stop())
	require.Equal(t, whop.Rejected, graveyard(t, q)[0].Outcome)

	for i := range 5 {
		enqueue(t, q, to(fmt.Sprintf("biz_any%d", i), 0))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorIs(t, q.Work(ctx, newClient(t, server), 1), whop.ErrForbidden, "a permission can be revoked")
	require.Equal(t, 2, counts(t, q).Dead)

	for i := range 5 {
		require.NoError(t, q.Cancel(t.Context(), fmt.Sprintf("biz_any%d-0", i)))
	}
	enqueue(t, q, to("biz_late", 0))
	require.ErrorIs(t, q.Work(ctx, newClient(t, server), 1), whop.ErrUnauthorized, "a key can be revoked")
}

// Once another notification has shown that key and address work, a refusal is about its
// notification.
func TestARefusalOfOneAmongManyIsADeadLetter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 404, 410} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
				if r.IdempotencyKey == "biz_bad-0" {
					return whoptest.Error(status, "", "Not this one.")
				}
				return whoptest.Serve()
			})
			q := newQueue(t)
			enqueue(t, q, to("biz_bad", 0))
			for i := range 3 {
				enqueue(t, q, to("biz_good", i))
			}
			stop := work(t, q, newClient(t, server), 1)
			eventually(t, q, queue.Stats{Sent: 3, Dead: 1})
			require.NoError(t, stop())
			require.Equal(t, whop.Rejected, graveyard(t, q)[0].Outcome)
		})
	}
}

// A dead letter that is retried is judged by what Whop answers from then on.
func TestARetriedLetterIsNoProofAgainstTheKey(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	var revoked atomic.Bool
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		switch {
		case revoked.Load():
			return whoptest.Error(401, "", "Who are you?")
		case r.IdempotencyKey == "biz_bad-0":
			return whoptest.Error(403, "", "You may not.")
		}
		return whoptest.Serve()
	})
	q := newQueue(t)
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() { ended <- q.Work(ctx, newClient(t, server), 1) }()
	enqueue(t, q, to("biz_good", 0))
	enqueue(t, q, to("biz_bad", 0))
	eventually(t, q, queue.Stats{Sent: 1, Dead: 1})
	revoked.Store(true)
	_, err := q.Retry(t.Context(), graveyard(t, q)[0].ID, false)
	require.NoError(t, err)
	require.ErrorIs(t, <-ended, whop.ErrUnauthorized)
	require.Zero(t, counts(t, q).Dead)
}

// What waits for its time has not been refused, and keeps no worker at work that is refused
// everything.
func TestAllButThoseThatWaitForTheirTime(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(401, "", "Who are you?") })
	q := newQueue(t)
	enqueue(t, q, to("biz_1", 0))
	_, err := q.Enqueue(t.Context(), to("biz_1", 1), queue.NotBefore(time.Now().Add(time.Hour)))
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorIs(t, q.Work(ctx, newClient(t, server), 1), whop.ErrUnauthorized)
	eventually(t, q, queue.Stats{Retrying: 2})
}
