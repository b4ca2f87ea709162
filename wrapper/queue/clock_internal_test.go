package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// A slow answer is better than none.
func TestClockOfASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c clock
		asked := 0
		now, err := c.now(t.Context(), func(context.Context) (time.Time, error) {
			asked++
			time.Sleep(1500 * time.Millisecond)
			return time.Now(), nil
		})
		require.NoError(t, err)
		require.Equal(t, 3, asked)
		require.InDelta(t, 0, time.Since(now).Seconds(), 1)
	})
}

// The next try waits as long as it should, also where the server's clock differs.
func TestTheNextTryByTheServersClock(t *testing.T) {
	t.Parallel()
	q := openEmbedded(t)
	for name, ahead := range map[string]time.Duration{"same": 0, "server_ahead": 20 * time.Minute, "server_behind": -20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			w := &worker{queue: q}
			w.ahead.Store(int64(ahead))
			h := takenBy(t, w)
			h.settle(t.Context(), t.Context(), &whop.SendError{Attempts: 1, RetryAfter: time.Hour, Err: errors.New("connection reset by peer")})
			msg, err := q.get(t.Context(), q.retry, 0, q.laterSubject(h.item.id))
			require.NoError(t, err)
			due := parseTime(strings.TrimPrefix(msg.Header.Get(jetstream.ScheduleHeader), "@at "))
			require.InDelta(t, (time.Hour + ahead).Seconds(), time.Until(due).Seconds(), 100) // it gets up to a minute more
		})
	}
}

// Limiters in processes with different clocks follow the server's clock: in any minute they let
// through at most perMinute attempts.
func TestClocksThatDifferKeepOnePace(t *testing.T) {
	t.Parallel()
	const perMinute = 60
	for _, test := range []struct {
		name string
		skew time.Duration // of the server's clock relative to this process
	}{
		{name: "same"},
		{name: "server_ahead", skew: 5 * time.Second},
		{name: "server_behind", skew: -5 * time.Second},
		{name: "server_far_away", skew: -300 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				skewed := func(context.Context) (time.Time, error) {
					time.Sleep(20 * time.Millisecond) // the round trip
					return time.Now().Add(test.skew), nil
				}
				plain := func(context.Context) (time.Time, error) { return time.Now().Add(test.skew), nil }
				var clocks [2]clock // of two processes
				var shared window
				var went []time.Time
				for len(went) < 6*perMinute {
					for i := range clocks {
						ask := plain
						if i == 1 {
							ask = skewed
						}
						now, err := clocks[i].now(t.Context(), ask)
						require.NoError(t, err)
						require.InDelta(t, 0, now.Sub(time.Now().Add(test.skew)).Seconds(), 0.05)
						next, got, _ := shared.take(now, 10, perMinute, false)
						shared = next
						for range got {
							went = append(went, time.Now())
						}
					}
					time.Sleep(50 * time.Millisecond)
				}
				for i := perMinute; i < len(went); i++ {
					require.Greater(t, went[i].Sub(went[i-perMinute]), time.Minute)
				}
			})
		})
	}
}
