package wrapper

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
)

const maxErrorBody = 4 << 10 // bytes of an answer that an APIError keeps

// APIError is an answer that is not a success. It always has the status. If the body is
// not Whop's documented envelope, Message has what text there was. It contains nothing of
// the request. It matches the sentinel errors of its status and code, so
// errors.Is(err, ErrRateLimited) is true of every 429.
type APIError struct {
	// StatusCode is that of the answer, from 100 on.
	StatusCode int
	// Type, Code, Message and Param are Whop's: a class such as
	// "invalid_request_error", a reason such as "parameter_missing", a sentence, and
	// the field to blame. Each may be empty, and is on one line without control
	// characters, of at most 1 KiB.
	Type, Code, Message, Param string
	// RequestID is what Whop's support asks for: X-Request-Id, else Cf-Ray, else "". At
	// most 300 bytes on one line.
	RequestID string
	// Replayed is true if Whop had given this answer to the key before: it is that of
	// an earlier attempt or an earlier send (the header Idempotent-Replayed).
	Replayed bool
	// Header is a copy of the answer's, at most 64 KiB of it.
	Header http.Header
	// Body is the first 4 KiB of the answer.
	Body []byte

	kind  error // ErrNotQueued or ErrMalformedResponse, for a 2xx
	cause error // why the body could not be read or understood
}

// newAPIError reads an answer that is not success. Should the server have sent the
// token back, it is taken out before anything else looks at the answer.
func newAPIError(a *answer) *APIError {
	body := redact(string(a.body), a.token)
	e := &APIError{
		StatusCode: a.status,
		RequestID:  requestID(a.header, a.token),
		Replayed:   replayed(a.header),
		Header:     keepHeader(a.header, a.token),
		Body:       []byte(body[:min(len(body), maxErrorBody)]),
		cause:      a.bodyErr,
	}
	e.Type, e.Code, e.Message, e.Param = parseEnvelope([]byte(body))
	for _, s := range []*string{&e.Type, &e.Code, &e.Message, &e.Param} {
		*s = oneLine(redact(*s, a.token), maxErrorField) // redacted again: escapes within escapes
	}
	return e
}

// Error returns one line: the status, the message, and what helps to find it again.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "whop: %d", e.StatusCode)
	if t := http.StatusText(e.StatusCode); t != "" {
		b.WriteString(" " + t)
	}
	switch {
	case e.kind == ErrNotQueued:
		b.WriteString(": the answer says that the notification was not queued")
	case e.kind == ErrMalformedResponse && e.cause != nil:
		fmt.Fprintf(&b, ": the answer was not understood: %v", e.cause)
	case e.kind == ErrMalformedResponse:
		b.WriteString(": the answer was not understood")
	}
	if e.Message != "" {
		b.WriteString(": " + oneLine(e.Message, maxErrorWords))
	}
	sep := " ("
	for _, f := range []struct{ name, value string }{
		{"type", e.Type}, {"code", e.Code}, {"param", e.Param}, {"location", e.Header.Get("Location")}, {"request id", e.RequestID},
	} {
		if f.value != "" {
			b.WriteString(sep + f.name + " " + oneLine(f.value, maxErrorWords))
			sep = ", "
		}
	}
	if sep == ", " {
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap returns what kept a body from being read or understood, if anything did.
func (e *APIError) Unwrap() error { return e.cause }

// Is matches the sentinel errors by status and by code.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrBadRequest:
		return e.StatusCode == http.StatusBadRequest
	case ErrUnauthorized:
		return e.StatusCode == http.StatusUnauthorized
	case ErrForbidden:
		return e.StatusCode == http.StatusForbidden
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound
	case ErrConflict:
		return e.StatusCode == http.StatusConflict
	case ErrVerificationRequired:
		return e.StatusCode == http.StatusUnprocessableEntity
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= 500
	case ErrRedirect:
		return e.StatusCode >= 300 && e.StatusCode < 400
	case ErrIdempotencyMismatch:
		return e.Code == codeMismatch
	case ErrIdempotencyInProgress:
		return e.inProgress()
	case ErrNotQueued, ErrMalformedResponse:
		return e.kind == target
	}
	return false
}

// The codes of docs.whop.com, developer/api/idempotency.
const (
	codeMismatch   = "idempotency_key_mismatch"
	codeInProgress = "idempotency_request_in_progress"
)

func (e *APIError) inProgress() bool {
	return e.StatusCode == http.StatusConflict && e.Code == codeInProgress
}

// mayBeInProgress: a 409 that broke off may have been about to say so.
func (e *APIError) mayBeInProgress() bool {
	return e.inProgress() || e.StatusCode == http.StatusConflict && e.cause != nil
}

// final reports whether Whop would answer the same request under the same key alike.
func (e *APIError) final() bool {
	refused := e.kind == ErrNotQueued || e.StatusCode >= 300 && e.StatusCode < 500
	if refused && e.Replayed {
		return true
	}
	if e.kind == nil && shouldRetry(e.Header) != "" {
		return shouldRetry(e.Header) == "false"
	}
	return refused && !temporary(e.StatusCode) && !e.mayBeInProgress()
}

// LogValue returns a group of the fields that are set, without body and header.
func (e *APIError) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Int("status", e.StatusCode)}
	for _, f := range []struct{ name, value string }{
		{"type", e.Type}, {"code", e.Code}, {"message", e.Message}, {"param", e.Param}, {"request_id", e.RequestID},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.name, oneLine(f.value, maxErrorWords)))
		}
	}
	return slog.GroupValue(attrs...)
}
