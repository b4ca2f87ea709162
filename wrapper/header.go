package wrapper

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
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

const maxErrorHeader = 64 << 10 // bytes of an answer's header that an APIError keeps

// keepHeader returns a copy of what an error may hold of an answer's header: no token,
// and at most maxErrorHeader bytes, the long fields left out first.
func keepHeader(h http.Header, token string) http.Header {
	size := func(name string) int {
		const overhead = 32 // of a string, about
		n := len(name) + overhead
		for _, value := range h[name] {
			n += len(value) + overhead
		}
		return n
	}
	names := slices.SortedFunc(maps.Keys(h), func(a, b string) int {
		return cmp.Or(cmp.Compare(size(a), size(b)), strings.Compare(a, b))
	})
	kept, room := make(http.Header), maxErrorHeader
	for _, name := range names {
		if room -= size(name); room < 0 {
			break
		}
		values := make([]string, len(h[name]))
		for i, value := range h[name] {
			values[i] = strings.Clone(redact(value, token))
		}
		kept[strings.Clone(redact(name, token))] = values
	}
	return kept
}

// requestID is what Whop's support asks for, "" if the answer has none.
func requestID(h http.Header, token string) string {
	return oneLine(redact(cmp.Or(h.Get("X-Request-Id"), h.Get("Cf-Ray")), token), maxErrorWords)
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
