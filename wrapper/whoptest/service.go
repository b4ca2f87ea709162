package whoptest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

const (
	versionHeader = "Api-Version-Date"
	maxBody       = 10 << 20 // bytes
)

// versions are the dates that the server knows; it speaks the vendored contract on each.
var versions = []string{"2025-01-01", "2026-07-20"}

// serve is normal service. done remembers an answer under the request's key, and
// until then the request is in progress to others.
func (s *Server) serve(r *http.Request, record *Request) (answer response, done func(response)) {
	unclaimed := func(response) {}
	refuse := func(e *apiError) (response, func(response)) { return e.response(), unclaimed }

	fault := elsewhere(r)
	switch {
	case fault != nil:
		if known := s.recall(r, record); known != nil {
			return *known, unclaimed
		}
		return refuse(fault)
	case s.caller(r) == "":
		return refuse(newAPIError(http.StatusUnauthorized, "", "", "Invalid or missing API key"))
	}
	if v := r.Header.Get(versionHeader); v != "" && !slices.Contains(versions, v) {
		return refuse(badRequest("parameter_invalid", versionHeader,
			"Unknown API version date. Supported dates: "+strings.Join(versions, ", ")+"."))
	}
	if key := r.Header.Get("Idempotency-Key"); len(key) > 255 {
		return refuse(badRequest("parameter_invalid", "Idempotency-Key", "The idempotency key is over 255 bytes."))
	}
	if err := s.readBody(r, record); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			_, _ = io.Copy(io.Discard, r.Body) // else the client may be cut off before it hears
			return refuse(newAPIError(http.StatusRequestEntityTooLarge, "", "", fmt.Sprintf("The body is over %d bytes.", maxBody)))
		}
		return refuse(badRequest("invalid_json", "", "The request body did not arrive whole."))
	}
	if refusal := s.passLimit(r); refusal != nil {
		return refuse(refusal)
	}
	known, done := s.claim(r, record)
	if known != nil {
		return *known, unclaimed
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return badRequest("parameter_invalid", "Content-Type", "The Content-Type must be application/json.").response(), done
	}
	if fault := s.contract.check(record.Body); fault != nil {
		return fault.response(), done
	}
	s.set(func() { s.queued = append(s.queued, record) })
	return jsonResponse(http.StatusOK, `{"success":true}`), done
}

// caller is who sent the request, "" if the key is not accepted.
func (s *Server) caller(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || token != s.APIKey() {
		return ""
	}
	return token
}

func (s *Server) passLimit(r *http.Request) *apiError {
	caller := s.caller(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit.pass(caller, s.now())
}

// elsewhere refuses every operation but the one there is.
func elsewhere(r *http.Request) *apiError {
	switch {
	case r.URL.Path != basePath+"/notifications":
		return newAPIError(http.StatusNotFound, "", "", "Resource not found")
	case r.Method != http.MethodPost:
		return newAPIError(http.StatusMethodNotAllowed, "", "", "Only POST is allowed here")
	}
	return nil
}

// recall gives the answer to another operation under a key that is taken: a key counts
// for all of them.
func (s *Server) recall(r *http.Request, record *Request) *response {
	id := callersKey{s.caller(r), record.IdempotencyKey}
	if id.caller == "" || id.key == "" || s.readBody(r, record) != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.recall(id, fingerprint(r, record.Body), s.now())
}

// claim takes the request's idempotency key, or gives the answer it has got already.
func (s *Server) claim(r *http.Request, record *Request) (known *response, done func(response)) {
	unclaimed := func(response) {}
	if record.IdempotencyKey == "" {
		return nil, unclaimed
	}
	id, print := callersKey{s.caller(r), record.IdempotencyKey}, fingerprint(r, record.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.keys.recall(id, print, s.now()); known != nil {
		return known, unclaimed
	}
	claimed := s.keys.claim(id, print, s.now())
	return nil, func(answer response) {
		s.set(func() { claimed.answer, claimed.answered = answer, true })
	}
}

func (s *Server) readBody(r *http.Request, record *Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	s.set(func() { record.Body = body })
	return err
}
