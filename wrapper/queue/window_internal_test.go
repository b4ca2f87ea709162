package queue

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Attempts that a wrong clock has put far ahead stop nobody.
func TestWindowOfAWrongClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, ahead := range []time.Duration{time.Second, time.Minute, 5 * time.Hour, 24 * 365 * time.Hour} {
		w := window{{At: now.Add(ahead).UnixMilli(), N: 600}}
		at := now
		for got := 0; got == 0; {
			var wait time.Duration
			w, got, wait = w.take(at, 1, 600, false)
			at = at.Add(wait)
		}
		require.Less(t, at.Sub(now), 3*windowTime, ahead)
	}
}

// In any 60 s there are at most as many attempts as allowed, with at most a quarter of retries,
// and no attempt waits without need.
func TestWindow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		perMinute int
		again     float64 // the share of retries
		atATime   int
		every     time.Duration // the longest time between two calls
	}{
		"one at a time":           {600, 0, 1, 200 * time.Millisecond},
		"ten at a time":           {600, 0, 10, time.Second},
		"half of them again":      {600, 0.5, 10, time.Second},
		"all of them again":       {600, 1, 10, 500 * time.Millisecond},
		"far more than there are": {100, 0.5, 10, 100 * time.Millisecond},
		"one a minute":            {1, 0.5, 10, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			type taken struct {
				at    time.Time
				again bool
			}
			var all []taken
			var w window
			now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
			free, freeAgain := now, now // when take said that one may be taken next
			for i := range 5000 {
				now = now.Add(rand.N(c.every))
				again := rand.Float64() < c.again
				next, got, wait := w.take(now, 1+rand.N(c.atATime), c.perMinute, again)
				if got == 0 && (wait <= 0 || wait > windowTime+tick) {
					require.Fail(t, "the wait is not within the window", wait)
				} else if due := map[bool]time.Time{false: free, true: freeAgain}[again]; got > 0 && now.Before(due.Add(-time.Millisecond)) {
					require.Fail(t, "one was free before it was said to be", due.Sub(now))
				}
				if until := now.Add(wait); got == 0 && again && until.After(freeAgain) {
					freeAgain = until
				} else if got == 0 && !again && until.After(free) {
					free = until
				}
				for range got {
					all = append(all, taken{now, again})
				}
				w = next
				if i%100 == 0 { // often enough for what changes no step
					data, err := json.Marshal(w)
					require.NoError(t, err)
					w = nil
					require.NoError(t, json.Unmarshal(data, &w))
					require.LessOrEqual(t, len(w), int(windowTime/tick)+2)
				}
			}
			require.NotEmpty(t, all)
			first, n, nAgain := 0, 0, 0
			for _, x := range all {
				n++
				if x.again {
					nAgain++
				}
				for ; x.at.Sub(all[first].at) >= time.Minute; first++ {
					n--
					if all[first].again {
						nAgain--
					}
				}
				if n > c.perMinute || nAgain > max(1, c.perMinute/retryShare) {
					require.Fail(t, "too many in a minute", "%d, of which %d again", n, nAgain)
				}
			}
		})
	}
}
