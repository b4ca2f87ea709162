package whoptest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Server is a Whop notifications API. It is safe for concurrent use. As an
// [http.Handler] it can also be mounted in another server, say one with TLS.
type Server struct {
	contracts *contracts
	url       string
	http      *http.Server
	running   sync.WaitGroup     // the listener's loop and the requests being served
	stop      context.CancelFunc // ends stalls
	stopped   context.Context

	mu      sync.Mutex
	closed  bool
	apiKey  string
	version string // of requests without a date
	logger  *slog.Logger
	now     func() time.Time
	limit   rateLimit
	keys    idempotencyKeys
	script  []Reply
	choose  func(Request) Reply
	history history
}

// NewServer starts a server on a free port of the loopback interface. It is closed when
// the test ends; scripted replies that were never used then fail the test.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	s, err := Start("127.0.0.1:0")
	if err != nil {
		tb.Fatalf("whoptest: %v", err)
	}
	tb.Cleanup(func() {
		s.Close()
		if left := s.Scripted(); len(left) > 0 {
			tb.Errorf("whoptest: %d scripted replies were never used: %v", len(left), left)
		}
	})
	return s
}

// Start starts a server outside of tests. The port 0, as in "127.0.0.1:0", picks a
// free one.
func Start(addr string) (*Server, error) {
	s, err := New()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listener.Addr().String() + basePath
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.running.Go(func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log().Error("whoptest: stopped serving", "error", err)
		}
	})
	return s, nil
}

// New makes a server that listens nowhere, to be mounted as an [http.Handler] under
// the path /api/v1. Its URL is "".
func New() (*Server, error) {
	contracts, err := loadContracts()
	if err != nil {
		return nil, err
	}
	s := &Server{
		contracts: contracts,
		apiKey:    "test_" + rand.Text(),
		version:   defaultVersion,
		logger:    slog.New(slog.DiscardHandler),
		now:       time.Now,
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// Close ends all connections, stalled ones too, and waits for the requests being
// served. It may be called more than once.
func (s *Server) Close() {
	s.set(func() { s.closed = true })
	s.stop()
	if s.http != nil {
		_ = s.http.Close()
	}
	s.running.Wait()
}

// URL is the base URL for [wrapper.WithBaseURL], as in "http://127.0.0.1:8080/api/v1".
//
// [wrapper.WithBaseURL]: https://pkg.go.dev/github.com/whopnotify/whopnotify/wrapper#WithBaseURL
func (s *Server) URL() string { return s.url }

// APIKey is the key that the server accepts: a random one, or that of SetAPIKey.
func (s *Server) APIKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apiKey
}

// SetAPIKey makes the server accept this key and no other.
func (s *Server) SetAPIKey(key string) { s.set(func() { s.apiKey = key }) }

// SetAPIVersion serves requests without the header Api-Version-Date as if they carried
// this date, as Whop does by the version that an API key is pinned to. The default, and
// "", is 2026-07-20, the last of the vendored contract. A date that is not among
// [APIVersions] answers those requests with 400.
func (s *Server) SetAPIVersion(date string) {
	s.set(func() { s.version = cmp.Or(date, defaultVersion) })
}

// SetRateLimit limits each credential to perMinute requests in any 60 seconds, with 429
// beyond. Whop's documented limit is 600; 0, the default, is none.
func (s *Server) SetRateLimit(perMinute int) { s.set(func() { s.limit.perMinute = perMinute }) }

// SetHistoryLimit bounds the memory of a server that runs for long. [Server.Requests]
// and [Server.Queued] each keep the last n, and of these no more than 64 MiB of bodies and
// headers. Of a request without an accepted key only ID, times, status and reason are kept,
// and the ID is not logged; of idempotency keys the last 100,000 are known. 0, the default,
// keeps everything.
func (s *Server) SetHistoryLimit(n int) {
	s.set(func() {
		s.history.limit = max(n, 0)
		s.history.trim()
	})
}

// SetClock replaces time.Now, for keys that expire and limits that recover.
func (s *Server) SetClock(now func() time.Time) { s.set(func() { s.now = now }) }

// SetLogger logs a line for each request: method, path, status, idempotency key, and the
// reason of an error; never the API key.
func (s *Server) SetLogger(l *slog.Logger) { s.set(func() { s.logger = l }) }

func (s *Server) log() *slog.Logger {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logger
}

func (s *Server) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// Script sets what the next requests get, in order of their arrival, after what is
// scripted already; then normal service goes on.
func (s *Server) Script(replies ...Reply) {
	s.set(func() { s.script = append(s.script, replies...) })
}

// ScriptFunc makes choose decide what every request gets that Script leaves open, as for
// faults at random. It is called for one request at a time, in order of arrival, before
// the body is read, and must not use the server. nil brings normal service back.
func (s *Server) ScriptFunc(choose func(Request) Reply) {
	s.set(func() { s.choose = choose })
}

// Scripted returns the replies of Script that no request has had yet.
func (s *Server) Scripted() []Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.script)
}

// Forget forgets all requests, idempotency keys and scripted replies, and what the rate
// limit has counted, as between two tests. What is being served then goes on unrecorded.
// IDs go on counting. The function of ScriptFunc stays.
func (s *Server) Forget() {
	s.set(func() {
		s.history.forget()
		s.keys, s.script, s.limit.passed = idempotencyKeys{}, nil, nil
	})
}

// Requests returns all requests, in order of arrival, as far as [Server.SetHistoryLimit]
// keeps them.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.history.requests)
}

// Queued returns the requests whose notifications Whop would have delivered, in order,
// as far as [Server.SetHistoryLimit] keeps them. A replay is not among them: its
// notification was queued before.
func (s *Server) Queued() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.history.queued)
}
