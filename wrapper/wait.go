package wrapper

import (
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// serversWait is how long the server asked to wait, 0 if it did not: Retry-After-Ms,
// else Retry-After in seconds or as a date, by the clock of the server where it tells
// it, else the message of a 429, which is where Whop says it. Nonsense, negative numbers and past dates are no wait; a wait too
// large for a Duration is the longest one.
func serversWait(h http.Header, tooManyRequests string) time.Duration {
	if d := numberOf(h.Get("Retry-After-Ms"), time.Millisecond); d > 0 {
		return d
	}
	after := strings.TrimSpace(h.Get("Retry-After"))
	if d := numberOf(after, time.Second); d > 0 {
		return d
	}
	if date, err := http.ParseTime(after); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		if d := date.Sub(now); d > 0 {
			return d
		}
	}
	return waitInMessage(tooManyRequests)
}

var decimal = regexp.MustCompile(`^(?:\d+\.?\d*|\.\d+)$`)

// numberOf reads a decimal number of units.
func numberOf(s string, unit time.Duration) time.Duration {
	s = strings.TrimSpace(s)
	if !decimal.MatchString(s) {
		return 0
	}
	n, _ := strconv.ParseFloat(s, 64) // out of range gives +Inf
	if d := math.Ceil(n * float64(unit)); d < math.MaxInt64 {
		return time.Duration(d)
	}
	return math.MaxInt64
}

// spelledWait is "30 seconds" or "1 minute and 30 seconds", with what comes before it.
var spelledWait = regexp.MustCompile(`(?i)(^|[^\w.,/-])(per\s+|every\s+|each\s+)?(\d+(?:\.\d+)?)\s*(second|minute)s?\b(?:[\s,]*(?:and\s+)?(\d+(?:\.\d+)?)\s*seconds?\b)?`)

// waitInMessage returns the longest wait that a message spells out. A rate, as in
// "600 requests per 60 seconds", is none.
func waitInMessage(message string) time.Duration {
	var longest time.Duration
	for _, m := range spelledWait.FindAllStringSubmatch(message, -1) {
		per, number, unit, seconds := m[2], m[3], time.Second, m[5]
		if per != "" {
			continue
		}
		if strings.EqualFold(m[4], "minute") {
			unit = time.Minute
		}
		d := numberOf(number, unit)
		if more := numberOf(seconds, time.Second); d <= math.MaxInt64-more {
			d += more
		}
		longest = max(longest, d)
	}
	return longest
}

// backoff is the wait after attempt n where the server asked for none.
func backoff(p RetryPolicy, n int) time.Duration {
	d := p.BaseDelay
	for range n - 1 {
		if d >= p.MaxDelay/2 {
			d = p.MaxDelay
			break
		}
		d *= 2
	}
	d = min(d, p.MaxDelay)
	return d - jitter(d/4)
}

// withJitter spreads those who were asked to wait alike: by up to 10 %, never past left.
func withJitter(wait, left time.Duration) time.Duration {
	return wait + jitter(min(wait/10, left-wait))
}

// jitter is a random part of d.
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
