package whoptest

import (
	"cmp"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
)

// call is one request being served.
type call struct {
	server   *Server
	w        http.ResponseWriter
	r        *http.Request
	record   *Request
	contract *contract // of the requested date, else of the default date
	caller   string    // the credential; "" if it is not accepted
	read     bool      // the body was read: all of it, or up to bodyErr
	bodyErr  error
}

// response is a full answer, kept to be replayed byte for byte.
type response struct {
	status   int
	header   http.Header
	body     string
	reason   string // of an error
	replayed bool
}

func jsonResponse(status int, body string) response {
	return response{status: status, header: http.Header{"Content-Type": {jsonType}}, body: body}
}

// ServeHTTP serves one request, as scripted or as usual.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, reply := s.arrive(w, r)
	defer s.running.Done()
	defer c.finish(reply)

	switch {
	case reply.fault == serving:
		answer, done := c.serve()
		done(answer)
		c.answer(answer)
	case reply.queue:
		answer, done := c.serve()
		switch {
		case answer.status/100 != 2:
			done(answer)
			c.answer(answer)
			return
		case reply.fault == stalling:
			defer done(answer) // in progress for as long as it stalls
		case reply.fault == answering && reply.remember:
			done(reply.response(c.contract))
		default:
			done(answer)
		}
		c.carryOut(reply, answer)
	case reply.fault == resetting:
		c.abort(nil)
	default:
		if err := c.readBody(); err == nil && reply.fault == answering && reply.remember {
			_, done := c.claim()
			done(reply.response(c.contract))
		}
		c.carryOut(reply, response{})
	}
}

// arrive records the request, and takes its reply from the script.
func (s *Server) arrive(w http.ResponseWriter, r *http.Request) (*call, Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		panic(http.ErrAbortHandler)
	}
	c := &call{server: s, w: w, r: r, record: &Request{
		Method:         r.Method,
		Path:           r.URL.Path,
		Query:          r.URL.RawQuery,
		Header:         r.Header.Clone(),
		IdempotencyKey: r.Header.Get(keyHeader),
		APIVersion:     r.Header.Get(versionHeader),
		Time:           s.now(),
	}}
	if c.record.APIVersion == "" {
		c.record.APIVersion = s.version
	}
	c.contract = cmp.Or(s.contracts.contractOf(c.record.APIVersion), s.contracts.contractOf(s.version), s.contracts.vendored)
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") && token == s.apiKey {
		c.caller = token
	}
	s.history.arrive(c.record)
	reply := Serve()
	switch {
	case len(s.script) > 0:
		reply, s.script = s.script[0], s.script[1:]
	case s.choose != nil:
		reply = s.choose(*c.record)
	}
	if name := reply.String(); name != Serve().name {
		c.record.Reply = name
	}
	s.running.Add(1)
	return c, reply
}

// finish logs the request. If the history has a limit, it keeps only ID, times, status and
// reason of a request without an accepted key.
func (c *call) finish(reply Reply) {
	s := c.server
	var kept Request
	var logger *slog.Logger
	s.set(func() {
		r := c.record
		r.Ended = s.now()
		if s.history.limit > 0 && c.caller == "" {
			*r = Request{ID: r.ID, Time: r.Time, Ended: r.Ended, Status: r.Status, Reason: r.Reason}
		}
		s.history.end(r)
		kept, logger = *c.record, s.logger
	})
	attrs := []any{"status", kept.Status}
	if kept.Method != "" {
		attrs = []any{"method", kept.Method, "path", kept.Path, "status", kept.Status, "idempotency_key", kept.IdempotencyKey}
	}
	if kept.Reason != "" {
		attrs = append(attrs, "reason", kept.Reason)
	}
	logger.Info("request", append(attrs, "reply", reply.String())...)
}

func (c *call) answer(a response) {
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified {
		a.body = ""
	}
	c.server.set(func() {
		c.record.Status, c.record.Reason, c.record.Replayed = a.status, a.reason, a.replayed
		c.record.AnswerHeader, c.record.AnswerBody = a.header.Clone(), []byte(a.body)
	})
	maps.Copy(c.w.Header(), a.header)
	c.w.WriteHeader(a.status)
	_, _ = io.WriteString(c.w, a.body)
}
