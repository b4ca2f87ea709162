package whoptest

import (
	"crypto/sha256"
	"net/http"
	"time"
)

// keyLifetime is how long Whop remembers an idempotency key
// (docs.whop.com, developer/api/idempotency).
const keyLifetime = 24 * time.Hour

// idempotencyKeys remembers, for each caller, what came under a key and what was answered.
type idempotencyKeys map[callersKey]*keyRecord

type callersKey struct{ caller, key string }

type keyRecord struct {
	fingerprint [sha256.Size]byte // of what makes a request the same
	claimed     time.Time
	answered    bool // else the first request is still being served
	answer      response
}

// fingerprint covers method, path, query, body and version.
func fingerprint(r *http.Request, body []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get(versionHeader), string(body)} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// recall gives what a request gets whose key is taken, nil if it is free: the answer
// that the first one got, or a refusal.
func (k *idempotencyKeys) recall(id callersKey, print [sha256.Size]byte, now time.Time) *response {
	known := (*k)[id]
	var answer response
	switch {
	case known == nil || now.Sub(known.claimed) >= keyLifetime:
		return nil
	case known.fingerprint != print:
		answer = badRequest("idempotency_key_mismatch", "", "This idempotency key was used for a different request.").response()
	case !known.answered:
		answer = newAPIError(http.StatusConflict, "idempotency_request_in_progress", "", "A request with this idempotency key is still in progress.").response()
	default:
		answer = known.answer
		answer.header = answer.header.Clone()
		answer.header.Set("Idempotent-Replayed", "true")
	}
	return &answer
}

// claim takes a key that is free for a request.
func (k *idempotencyKeys) claim(id callersKey, print [sha256.Size]byte, now time.Time) *keyRecord {
	if *k == nil {
		*k = idempotencyKeys{}
	}
	record := &keyRecord{fingerprint: print, claimed: now}
	(*k)[id] = record
	return record
}
