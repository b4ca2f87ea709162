package whoptest

import (
	"crypto/sha256"
	"net/http"
	"time"
)

// maxKeys bounds the keys that a server with a history limit remembers.
const maxKeys = 100_000

// idempotencyKeys remembers the request and the answer for each key of each caller.
type idempotencyKeys struct {
	records map[callersKey]*keyRecord
	oldest  []*keyRecord // in the order in which they were claimed
}

type callersKey struct{ caller, key string }

type keyRecord struct {
	id          callersKey
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

// recall returns the answer to a request whose key is taken: the first request's answer, or
// a refusal. It returns nil if the key is free.
func (k *idempotencyKeys) recall(id callersKey, fingerprint [sha256.Size]byte, now time.Time, c *contract) *response {
	known := k.records[id]
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

// claim takes a free key for a request. It forgets expired keys, and the oldest ones beyond
// limit; a limit of 0 means none.
func (k *idempotencyKeys) claim(id callersKey, fingerprint [sha256.Size]byte, now time.Time, limit int) *keyRecord {
	if k.records == nil {
		k.records = map[callersKey]*keyRecord{}
	}
	record := &keyRecord{id: id, fingerprint: fingerprint, claimed: now}
	k.records[id] = record
	k.oldest = append(k.oldest, record)
	for limit > 0 && len(k.oldest) > limit || now.Sub(k.oldest[0].claimed) >= keyLifetime {
		if k.records[k.oldest[0].id] == k.oldest[0] {
			delete(k.records, k.oldest[0].id)
		}
		k.oldest = k.oldest[1:]
	}
	return record
}

func ignore(response) {}

func (c *call) keyID() callersKey { return callersKey{c.caller, c.record.IdempotencyKey} }

// recall returns the answer to another operation under a key that is taken: a key covers
// all operations.
func (c *call) recall() *response {
	if c.caller == "" || c.record.IdempotencyKey == "" || c.readBody() != nil {
		return nil
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.recall(c.keyID(), fingerprintOf(c.r, c.record.Body), s.now(), c.contract)
}

// claim takes the request's idempotency key, or returns the answer already stored under it.
// done stores the answer.
func (c *call) claim() (known *response, done func(response)) {
	if c.record.IdempotencyKey == "" {
		return nil, ignore
	}
	s, fingerprint := c.server, fingerprintOf(c.r, c.record.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	now, limit := s.now(), 0
	if c.record.ID <= s.history.forgotten {
		return nil, ignore
	}
	if known := s.keys.recall(c.keyID(), fingerprint, now, c.contract); known != nil {
		return known, ignore
	}
	if s.history.limit > 0 {
		limit = maxKeys
	}
	claimed := s.keys.claim(c.keyID(), fingerprint, now, limit)
	return nil, func(answer response) {
		s.set(func() { claimed.answer, claimed.answered = answer, true })
	}
}
