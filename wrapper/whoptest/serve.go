package whoptest

import (
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
)

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
		switch {
		case answer.status/100 != 2:
			done(answer)
			s.answer(w, record, answer)
			return
		case reply.fault == stalling:
			defer done(answer) // in progress for as long as it stalls
		case reply.fault == answering && reply.remember:
			done(reply.response)
		default:
			done(answer)
		}
		s.misbehave(w, r, record, reply, answer)
	case reply.fault == resetting:
		abort(w, nil)
	default:
		if err := s.readBody(r, record); err == nil && reply.fault == answering && reply.remember {
			_, done := s.claim(r, record)
			done(reply.response)
		}
		s.misbehave(w, r, record, reply, response{})
	}
}

// arrive takes the request down and takes its reply from the script.
func (s *Server) arrive(r *http.Request) (*Request, Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		panic(http.ErrAbortHandler)
	}
	record := &Request{
		Method:         r.Method,
		Path:           r.URL.Path,
		Query:          r.URL.RawQuery,
		Header:         r.Header.Clone(),
		IdempotencyKey: r.Header.Get("Idempotency-Key"),
		Time:           s.now(),
	}
	reply := Serve()
	switch {
	case len(s.script) > 0:
		reply, s.script = s.script[0], s.script[1:]
	case s.choose != nil:
		reply = s.choose(*record)
	}
	s.requests = append(s.requests, record)
	s.running.Add(1)
	return record, reply
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
		w.Header().Set("Content-Length", strconv.Itoa(len(usual.body)))
		usual.body = usual.body[:len(usual.body)/2]
		s.answer(w, record, usual)
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
	if len(say) > 0 {
		_, _ = conn.Write(say)
		_ = conn.Close()
		return
	}
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn() // without the farewell that TLS would send
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
