package queue

import "time"

const (
	// windowTime is how long an attempt counts: a minute, plus a second for requests that
	// arrive late.
	windowTime = 61 * time.Second
	// tick is the unit to which times are rounded up, so that a window stays short.
	tick = 100 * time.Millisecond
)

// window holds the attempts of the last minute, oldest first. Its JSON is the bucket's value.
type window []taken

// taken counts the attempts of one tick.
type taken struct {
	At    int64 `json:"t"`           // Unix milliseconds
	N     int   `json:"n"`           // attempts
	Again int   `json:"r,omitempty"` // retries among them
}

// take returns the window with up to n more attempts. If there is no room, it returns how long
// to wait until there may be.
func (w window) take(now time.Time, n, perMinute int, again bool) (next window, got int, wait time.Duration) {
	free, freeAgain := perMinute, max(1, perMinute/retryShare)
	wait, waitAgain := windowTime, windowTime
	at := now.UnixMilli()
	for _, t := range w {
		// A later time comes from a wrong clock. So does one that is far later, and would
		// stop all until this clock has caught up.
		if t.At > at+windowTime.Milliseconds() {
			continue
		}
		t.At = min(t.At, at+tick.Milliseconds())
		left := time.Duration(t.At-at)*time.Millisecond + windowTime
		if left <= 0 || t.N <= 0 {
			continue
		}
		free, freeAgain = free-t.N, freeAgain-t.Again
		next = append(next, t)
		wait = min(wait, left)
		if t.Again > 0 {
			waitAgain = min(waitAgain, left)
		}
	}
	if again && freeAgain < free {
		free, wait = freeAgain, waitAgain
	}
	if got = min(n, free); got <= 0 {
		return w, 0, wait
	}
	t := taken{At: now.Truncate(tick).Add(tick).UnixMilli(), N: got}
	if again {
		t.Again = got
	}
	if last := len(next) - 1; last >= 0 && next[last].At == t.At {
		next[last].N, next[last].Again = next[last].N+t.N, next[last].Again+t.Again
		return next, got, 0
	}
	return append(next, t), got, 0
}
