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
	contract *contract // of the date asked for; else of the default date
	caller   string    // the credential; "" if it is not accepted
}

// response is an answer in full, so that it can be replayed to the byte.
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
	defer c.log(reply)

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
		abort(w, nil)
	default:
		if err := c.readBody(); err == nil && reply.fault == answering && reply.remember {
			_, done := c.claim()
			done(reply.response(c.contract))
		}
		c.carryOut(reply, response{})
	}
}

// arrive takes the request down and takes its reply from the script.
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
	reply := Serve()
	switch {
	case len(s.script) > 0:
		reply, s.script = s.script[0], s.script[1:]
	case s.choose != nil:
		reply = s.choose(*c.record)
	}
	s.history.requests = append(s.history.requests, c.record)
	s.running.Add(1)
	return c, reply
}

func (c *call) log(reply Reply) {
	var status int
	var logger *slog.Logger
	c.server.set(func() { status, logger = c.record.Status, c.server.logger })
	logger.Info("request", "method", c.r.Method, "path", c.r.URL.Path, "status", status,
		"idempotency_key", c.record.IdempotencyKey, "reply", reply.String())
}

func (c *call) answer(a response) {
	c.server.set(func() { c.record.Status, c.record.Reason, c.record.Replayed = a.status, a.reason, a.replayed })
	maps.Copy(c.w.Header(), a.header)
	c.w.WriteHeader(a.status)
	_, _ = io.WriteString(c.w, a.body)
}
