package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

const (
	relayMaxBody = 8 << 20 // bytes
	// relayDiscard is how much of a body that is too large is read all the same, so that the
	// client hears why, and is not merely cut off.
	relayDiscard = 3 * relayMaxBody
	// Bodies of over relaySmallBody bytes, or of unknown length, are taken in up to
	// relayLargeBodies at a time, so that they do not fill the memory.
	relaySmallBody, relayLargeBodies = 64 << 10, 16
	// relayStoreTime is how long a request waits for the queue, or for its turn.
	relayStoreTime = 4 * time.Second
)

// intake is what a request has brought in.
type intake struct {
	queue.Ticket
	keyless *keyless // if it came without a key
}

// accept stores the notification of a request. Without an error it is on the disk.
func (h *relayHandler) accept(w http.ResponseWriter, r *http.Request, c *relayContract) (in intake, fault *relayError) {
	if fault = checkMedia(r.Header); fault != nil {
		return in, fault
	}
	key, keyed, fault := keyOf(r.Header)
	if fault != nil {
		return in, fault
	}
	leave, fault := h.enter(r)
	if fault != nil {
		return in, fault
	}
	defer leave()
	body, fault := readRelayed(w, r)
	if fault != nil {
		return in, fault
	}
	n, fault := c.parse(body, h.noBroadcast)
	if fault != nil {
		return in, fault
	}
	// Whether the client still listens does not decide what becomes of its notification.
	ctx := context.WithoutCancel(r.Context())
	if keyed {
		if !h.claim(key) {
			return in, &relayError{
				status: http.StatusConflict, reason: "in_progress", code: keyInProgress, retryAfter: 1,
				message: "A request with this idempotency key is still in progress.",
			}
		}
		defer h.release(key)
	} else {
		sum := sumOfRequest(c, r.URL.RawQuery, body)
		if isRepeat(r.Header) {
			waiting, cancel := context.WithTimeout(ctx, relayStoreTime)
			key = h.repeats.take(waiting, sum)
			cancel()
		}
		in.keyless = h.repeats.begin(sum)
	}
	if key != "" {
		n = n.WithIdempotencyKey(key)
	}
	ctx, cancel := context.WithTimeout(ctx, relayStoreTime)
	defer cancel()
	var err error
	if in.Ticket, err = h.queue.Enqueue(ctx, n); err != nil {
		return in, h.notStored(err, in.Ticket, keyed)
	}
	return in, nil
}

// notStored says what an error of Enqueue means to who asked.
func (h *relayHandler) notStored(err error, ticket queue.Ticket, keyed bool) *relayError {
	switch {
	case errors.Is(err, whop.ErrIdempotencyMismatch):
		return &relayError{
			status: http.StatusBadRequest, reason: "mismatch", code: keyMismatch, param: keyHeader,
			message: "This idempotency key was used for a different request.",
		}
	case errors.Is(err, nats.ErrMaxPayload):
		return &relayError{status: http.StatusRequestEntityTooLarge, reason: "too_large", message: "The notification is too large for the queue of the relay."}
	case errors.Is(err, queue.ErrNotEnqueued):
		h.warn("notifications are refused, since the queue cannot store them", err)
		return unavailable("The relay cannot store notifications at present. This one was not taken: try again.")
	}
	h.warn("notifications are answered with 503, since the queue does not say whether it has stored them", err)
	fault := unavailable("The relay does not know whether it has stored the notification. A repeat under the same Idempotency-Key is safe.")
	if !keyed {
		fault.key = ticket.IdempotencyKey
		fault.message = "The relay does not know whether it has stored the notification. A repeat is safe under the Idempotency-Key of this answer."
	}
	return fault
}

// claim takes a key for a request, if no other has it.
func (h *relayHandler) claim(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, taken := h.storing[key]; taken {
		return false
	}
	h.storing[key] = struct{}{}
	return true
}

func (h *relayHandler) release(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.storing, key)
}

// enter waits until the request's body may be read, and returns what to call once it is stored.
func (h *relayHandler) enter(r *http.Request) (leave func(), fault *relayError) {
	if r.ContentLength >= 0 && r.ContentLength <= relaySmallBody {
		return func() {}, nil
	}
	select {
	case h.large <- struct{}{}:
		return func() { <-h.large }, nil
	case <-time.After(relayStoreTime):
		return nil, unavailable("The relay is busy with other large requests. This one was not read: try again.")
	}
}

func checkMedia(header http.Header) *relayError {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, encoding := params["charset"], header.Get("Content-Encoding")
	switch {
	case err != nil || media != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8"):
		return unsupported("Content-Type", "The Content-Type must be application/json, in UTF-8.")
	case encoding != "" && !strings.EqualFold(encoding, "identity"):
		return unsupported("Content-Encoding", "The body must have no Content-Encoding.")
	}
	return nil
}

func unsupported(param, message string) *relayError {
	return &relayError{status: http.StatusUnsupportedMediaType, reason: "media_type", param: param, message: message}
}

// keyOf reads the idempotency key of a request. An empty one is a mistake of the caller, who
// believes to be safe.
func keyOf(header http.Header) (key string, keyed bool, fault *relayError) {
	keys := header.Values(keyHeader)
	if len(keys) == 0 {
		return "", false, nil
	}
	if len(keys) > 1 {
		return "", false, invalid(parameterInvalid, keyHeader, "Invalid parameter "+keyHeader+": given twice.")
	}
	if err := checkKey(keys[0]); err != nil {
		return "", false, invalid(parameterInvalid, keyHeader, fmt.Sprintf("Invalid parameter %s: %s.", keyHeader, err.Reason))
	}
	return keys[0], true, nil
}

// checkKey says what is wrong with an idempotency key, by the rules for a notification's.
func checkKey(key string) *whop.ValidationError {
	err := whop.ToCompany("biz_1", whop.Message{Title: "T", Content: "C"}).WithIdempotencyKey(key).Validate()
	fault, _ := errors.AsType[*whop.ValidationError](err)
	return fault
}

func readRelayed(w http.ResponseWriter, r *http.Request) ([]byte, *relayError) {
	tooLarge := &relayError{status: http.StatusRequestEntityTooLarge, reason: "too_large", message: fmt.Sprintf("The body is over %d bytes.", relayMaxBody)}
	if r.ContentLength > relayMaxBody {
		if r.Header.Get("Expect") == "" && r.ContentLength <= relayDiscard {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return nil, tooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, relayMaxBody+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return nil, &relayError{status: http.StatusRequestTimeout, reason: "invalid", message: "The request body did not arrive in time. Nothing was stored."}
	case err != nil:
		w.Header().Set("Connection", "close")
		return nil, invalid("invalid_json", "", "The request body did not arrive whole.")
	case len(body) > relayMaxBody:
		_, _ = io.CopyN(io.Discard, r.Body, relayDiscard)
		w.Header().Set("Connection", "close")
		return nil, tooLarge
	}
	return body, nil
}
