package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// relayPath is where Whop has the operation.
const relayPath = "/api/v1/notifications"

// relayQueue is what a relay needs of a [queue.Queue].
type relayQueue interface {
	Enqueue(context.Context, whop.Notification, ...queue.EnqueueOption) (queue.Ticket, error)
	Find(ctx context.Context, key string) (queue.Found, error)
}

// relayHandler answers in Whop's shape, from a queue.
type relayHandler struct {
	queue       relayQueue
	key         [sha256.Size]byte // the sum of the relay's own
	noBroadcast bool
	logger      *slog.Logger
	// counted is called once for each request, with its status, the time until it was answered,
	// and a reason: accepted, replayed, found, or why it was refused: unauthorized, path,
	// method, media_type, too_large, invalid, broadcast, mismatch, in_progress, unknown_key
	// or unavailable.
	counted func(status int, reason string, took time.Duration)

	repeats repeats
	large   chan struct{} // has one for each large body in memory

	warned seldom

	mu      sync.Mutex
	storing map[string]struct{} // the keys of requests that are being stored
}

func newRelayHandler(q relayQueue, key string, noBroadcast bool, logger *slog.Logger) *relayHandler {
	return &relayHandler{
		queue: q, key: sha256.Sum256([]byte(key)), noBroadcast: noBroadcast, logger: logger,
		counted: func(int, string, time.Duration) {},
		storing: map[string]struct{}{},
		large:   make(chan struct{}, relayLargeBodies),
	}
}

func (h *relayHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	status, reason := h.serve(w, r)
	h.counted(status, reason, time.Since(begun))
}

// serve answers, and says what it answered.
func (h *relayHandler) serve(w http.ResponseWriter, r *http.Request) (status int, reason string) {
	contract, fault := relayContractOf(r.Header.Get(versionHeader))
	refuse := func(e *relayError) (int, string) {
		e.write(w, contract)
		return e.status, e.reason
	}
	// Of the path as it was sent: a key may hold a slash.
	below, found := strings.CutPrefix(r.URL.EscapedPath(), relayPath)
	asked, isKey := strings.CutPrefix(below, "/")
	key, err := url.PathUnescape(asked)
	switch {
	case !found, below != "" && (key == "" || !isKey), err != nil:
		return refuse(&relayError{status: http.StatusNotFound, reason: "path", message: "Resource not found. A relay has POST " + relayPath + ", and GET " + relayPath + "/{idempotency key}."})
	case !isKey && r.Method != http.MethodPost:
		return refuse(notAllowed(http.MethodPost))
	case isKey && r.Method != http.MethodGet:
		return refuse(notAllowed(http.MethodGet))
	case !h.knows(r.Header.Get("Authorization")):
		return refuse(&relayError{status: http.StatusUnauthorized, reason: "unauthorized", message: "Invalid or missing API key: the relay wants its own as a bearer token, not Whop's."})
	case fault != nil:
		return refuse(fault)
	case isKey:
		answer, fault := h.find(r.Context(), key)
		if fault != nil {
			return refuse(fault)
		}
		_ = writeJSON(w, http.StatusOK, answer) // else it is asked again
		return http.StatusOK, "found"
	}
	in, fault := h.accept(w, r, contract)
	repeatAs := "" // where the client does not hear the answer
	if in.keyless != nil {
		defer func() { h.repeats.end(in.keyless, repeatAs) }()
	}
	if fault != nil {
		repeatAs = fault.key
		return refuse(fault)
	}
	w.Header().Set(keyHeader, in.IdempotencyKey)
	reason = "accepted"
	if in.Duplicate {
		w.Header().Set(replayedHeader, "true")
		reason = "replayed"
	}
	gone := r.Context().Err() != nil
	if err := writeJSON(w, contract.success, map[string]bool{"success": true}); err != nil || gone {
		repeatAs = in.IdempotencyKey
	}
	return contract.success, reason
}

func notAllowed(allow string) *relayError {
	return &relayError{status: http.StatusMethodNotAllowed, reason: "method", message: "Only " + allow + " is allowed here.", allow: allow}
}

// knows reports whether the credential is the relay's own, in a time that says nothing of it.
func (h *relayHandler) knows(authorization string) bool {
	scheme, token, _ := strings.Cut(authorization, " ")
	sum := sha256.Sum256([]byte(token))
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(sum[:], h.key[:]) == 1
}

// warn logs what is wrong with the queue, once in ten seconds.
func (h *relayHandler) warn(message string, err error) {
	if h.warned.once(10 * time.Second) {
		h.logger.Warn(message, "error", err)
	}
}
