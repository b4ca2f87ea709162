package whoptest

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// rateLimit counts each credential's requests in a sliding window.
type rateLimit struct {
	perMinute int
	passed    map[string][]time.Time // by caller, oldest first
}

const window = time.Minute

// pass counts a request, or refuses it. The wait is in the message, because Whop documents no
// header for it.
func (l *rateLimit) pass(caller string, now time.Time) *apiError {
	if l.perMinute <= 0 {
		return nil
	}
	if l.passed == nil {
		l.passed = map[string][]time.Time{}
	}
	recent := l.passed[caller]
	for len(recent) > 0 && now.Sub(recent[0]) >= window {
		recent = recent[1:]
	}
	if len(recent) >= l.perMinute {
		l.passed[caller] = recent
		return tooManyRequests(window - now.Sub(recent[len(recent)-l.perMinute]))
	}
	l.passed[caller] = append(recent, now)
	return nil
}

func (c *call) passLimit() *apiError {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit.pass(c.caller, s.now())
}

func tooManyRequests(wait time.Duration) *apiError {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return rateLimited(fmt.Sprintf("Rate limit exceeded. Try again in %d %s.", seconds, unit))
}

func rateLimited(message string) *apiError {
	return &apiError{status: http.StatusTooManyRequests, code: "rate_limit_exceeded", message: message}
}
