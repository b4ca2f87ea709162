package wrapper

import (
	"fmt"
	"net/http"
	"strings"
)

// idempotencyHeader is in lower case, which is the same header to a server: under the
// canonical name net/http would take the request for one that it may send again by
// itself after it was written.
const idempotencyHeader = "idempotency-key"

// headerSafe refuses what a header value cannot carry unchanged everywhere: all but
// printable ASCII. It never repeats the value, which may be a secret.
func headerSafe(value string) error {
	for i := range len(value) {
		if b := value[i]; b < ' ' || b > '~' {
			return fmt.Errorf("has a character that a header cannot carry, byte %#02x at position %d", b, i+1)
		}
	}
	return nil
}

// requestID is what Whop's support asks for, "" if the answer has none.
func requestID(h http.Header) string {
	if id := h.Get("X-Request-Id"); id != "" {
		return id
	}
	return h.Get("Cf-Ray")
}

// replayed reports whether the answer is an earlier one to the same key, repeated.
func replayed(h http.Header) bool {
	return strings.EqualFold(strings.TrimSpace(h.Get("Idempotent-Replayed")), "true")
}

// shouldRetry reads the x-should-retry header, which Whop's own SDKs obey: "true",
// "false", or "" for anything else.
func shouldRetry(h http.Header) string {
	switch v := strings.ToLower(strings.TrimSpace(h.Get("X-Should-Retry"))); v {
	case "true", "false":
		return v
	}
	return ""
}
