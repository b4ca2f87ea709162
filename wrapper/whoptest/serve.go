package whoptest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
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

// response is an answer in full, so that it can be replayed to the byte.
type response struct {
	status int
	header http.Header
	body   string
}

func jsonResponse(status int, body string) response {
	return response{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: body}
}

// ServeHTTP serves one request, as scripted or as usual.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	record, reply := s.arrive(r)
	defer s.running.Done()
	defer func() {
		status := 0
		s.set(func() { status = record.Status })
		s.log().Info("request", "method", r.Method, "path", r.URL.Path, "status", status,
			"idempotency_key", record.IdempotencyKey, "reply", reply.String())
	}()

	switch {
	case reply.fault == serving:
		answer, done := s.serve(r, record)
		done(answer)
		s.answer(w, record, answer)
	case reply.queue:
		answer, done := s.serve(r, record)
		if answer.status/100 != 2 {
			done(answer)
			s.answer(w, record, answer)
			return
		}
		if reply.fault == stalling {
			defer done(answer) // in progress for as long as it stalls
		} else {
			done(answer)
		}
		s.misbehave(w, r, record, reply, answer)
	case reply.remember:
		s.readBody(r, record)
		_, done := s.claim(r, record)
		done(reply.response)
		s.misbehave(w, r, record, reply, reply.response)
	default:
		if reply.fault == answering || reply.fault == babbling || reply.fault == stalling {
			s.readBody(r, record)
		}
		s.misbehave(w, r, record, reply, reply.response)
	}
}

// arrive takes the request down and gives its reply.
func (s *Server) arrive(r *http.Request) (*Request, Reply) {
	record := &Request{
		Method:         r.Method,
		Path:           r.URL.Path,
		Query:          r.URL.RawQuery,
		Header:         r.Header.Clone(),
		IdempotencyKey: r.Header.Get("Idempotency-Key"),
	}
	reply := Serve()
	var fault func(Request) Reply
	s.set(func() {
		if s.closed {
			panic(http.ErrAbortHandler)
		}
		s.running.Add(1)
		record.Time = s.now()
		s.requests = append(s.requests, record)
		if len(s.script) > 0 {
			reply, s.script = s.script[0], s.script[1:]
		} else {
			fault = s.fault
		}
	})
	if fault != nil {
		reply = fault(*record)
	}
	return record, reply
}

// serve is normal service. done remembers an answer under the request's key, and
// until then the request is in progress to others.
func (s *Server) serve(r *http.Request, record *Request) (answer response, done func(response)) {
	unclaimed := func(response) {}
	refuse := func(e *apiError) (response, func(response)) { return e.response(), unclaimed }

	switch {
	case r.URL.Path != basePath+"/notifications":
		return refuse(newAPIError(http.StatusNotFound, "", "", "Resource not found"))
	case r.Method != http.MethodPost:
		return refuse(newAPIError(http.StatusMethodNotAllowed, "", "", "Only POST is allowed here"))
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
	s.set(func() {
		record.Queued = true
		s.queued = append(s.queued, record)
	})
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

// claim takes the request's idempotency key, or gives the answer it has got already.
func (s *Server) claim(r *http.Request, record *Request) (known *response, done func(response)) {
	if record.IdempotencyKey == "" {
		return nil, func(response) {}
	}
	id := callersKey{s.caller(r), record.IdempotencyKey}
	s.mu.Lock()
	defer s.mu.Unlock()
	claimed, known := s.keys.claim(id, fingerprint(r, record.Body), s.now())
	return known, func(answer response) {
		if claimed != nil {
			s.set(func() { claimed.answer, claimed.answered = answer, true })
		}
	}
}

func (s *Server) readBody(r *http.Request, record *Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	s.set(func() { record.Body = body })
	return err
}

func (s *Server) answer(w http.ResponseWriter, record *Request, a response) {
	s.set(func() { record.Status = a.status })
	maps.Copy(w.Header(), a.header)
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body)
}

// misbehave carries out a scripted reply.
func (s *Server) misbehave(w http.ResponseWriter, r *http.Request, record *Request, reply Reply, usual response) {
	switch reply.fault {
	case answering:
		s.answer(w, record, reply.response)
	case stalling:
		select {
		case <-r.Context().Done():
		case <-s.stopped.Done():
		}
		abort(w, nil)
	case truncating:
		s.set(func() { record.Status = usual.status })
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", fmt.Sprint(len(usual.body)))
		w.WriteHeader(usual.status)
		_, _ = io.WriteString(w, usual.body[:len(usual.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case babbling:
		abort(w, reply.garbage)
	default:
		abort(w, nil)
	}
}

// abort writes raw bytes, if any, and breaks the connection: with a reset if there is
// nothing to say, and of the stream alone over HTTP/2.
func abort(w http.ResponseWriter, say []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer conn.Close()
	if len(say) > 0 {
		_, _ = conn.Write(say)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
