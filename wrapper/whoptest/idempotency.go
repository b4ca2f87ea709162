package whoptest

import (
	"crypto/sha256"
	"net/http"
	"time"
)

// idempotencyKeys remembers, for each caller, what came under a key and what was answered.
type idempotencyKeys map[callersKey]*keyRecord

type callersKey struct{ caller, key string }

type keyRecord struct {
	fingerprint [sha256.Size]byte // of what makes a request the same
	claimed     time.Time
	answered    bool // else the first request is still being served
	answer      response
}

// fingerprintOf covers method, path, query, body and version.
func fingerprintOf(r *http.Request, body []byte) [sha256.Size]byte {
	h := sha256.New()
	for _, part := range []string{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get(versionHeader), string(body)} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// recall returns the answer to a request whose key is taken, nil if the key is free: the
// first one's answer, or a refusal.
func (k *idempotencyKeys) recall(id callersKey, fingerprint [sha256.Size]byte, now time.Time, c *contract) *response {
	known := (*k)[id]
	var answer response
	switch {
	case known == nil || now.Sub(known.claimed) >= keyLifetime:
		return nil
	case known.fingerprint != fingerprint:
		answer = badRequest("idempotency_key_mismatch", "", "This idempotency key was used for a different request.").response(c)
	case !known.answered:
		answer = (&apiError{
			status: http.StatusConflict, code: "idempotency_request_in_progress",
			message: "A request with this idempotency key is still in progress.",
		}).response(c)
	default:
		answer = known.answer
		answer.replayed = true
		answer.header = answer.header.Clone()
		answer.header.Set(replayedHeader, "true")
	}
	return &answer
}

// claim takes a key that is free for a request.
func (k *idempotencyKeys) claim(id callersKey, fingerprint [sha256.Size]byte, now time.Time) *keyRecord {
	if *k == nil {
		*k = idempotencyKeys{}
	}
	record := &keyRecord{fingerprint: fingerprint, claimed: now}
	(*k)[id] = record
	return record
}

func ignore(response) {}

func (c *call) keyID() callersKey { return callersKey{c.caller, c.record.IdempotencyKey} }

// recall returns the answer to another operation under a key that is taken: a key covers
// all of them.
func (c *call) recall() *response {
	if c.caller == "" || c.record.IdempotencyKey == "" || c.readBody() != nil {
		return nil
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.recall(c.keyID(), fingerprintOf(c.r, c.record.Body), s.now(), c.contract)
}

// claim takes the request's idempotency key, or returns the answer that is known under
// it. done remembers the answer.
func (c *call) claim() (known *response, done func(response)) {
	if c.record.IdempotencyKey == "" {
		return nil, ignore
	}
	s, fingerprint := c.server, fingerprintOf(c.r, c.record.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if known := s.keys.recall(c.keyID(), fingerprint, now, c.contract); known != nil {
		return known, ignore
	}
	claimed := s.keys.claim(c.keyID(), fingerprint, now)
	return nil, func(answer response) {
		s.set(func() { claimed.answer, claimed.answered = answer, true })
	}
}
