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
	version string // for requests without a date
	logger  *slog.Logger
	now     func() time.Time
	limit   rateLimit
	keys    idempotencyKeys
	script  []Reply
	choose  func(Request) Reply
	history history
}

// NewServer starts a server on a free port of the loopback interface, and closes it when the
// test ends. The test fails if scripted replies are left then.
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

// Start starts a server outside of tests. Port 0, as in "127.0.0.1:0", picks a free port.
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

// New returns a server that does not listen. Mount it as an [http.Handler] under the path
// /api/v1. Its URL is "".
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

// Close closes all connections, stalled ones too, and waits for the requests in flight. It
// may be called more than once.
func (s *Server) Close() {
	s.set(func() { s.closed = true })
	s.stop()
	if s.http != nil {
		_ = s.http.Close()
	}
	s.running.Wait()
}

// URL returns the base URL for [wrapper.WithBaseURL], as in "http://127.0.0.1:8080/api/v1".
//
// [wrapper.WithBaseURL]: https://pkg.go.dev/github.com/whopnotify/whopnotify/wrapper#WithBaseURL
func (s *Server) URL() string { return s.url }

// APIKey returns the key that the server accepts: a random one, or the one of SetAPIKey.
func (s *Server) APIKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apiKey
}

// SetAPIKey makes the server accept this key and no other.
func (s *Server) SetAPIKey(key string) { s.set(func() { s.apiKey = key }) }

// SetAPIVersion sets the version date for requests without the header Api-Version-Date, like
// the version that Whop pins an API key to. The default, also for "", is 2026-07-20, the last
// date of the vendored contract. If the date is not among [APIVersions], those requests are
// answered with 400.
func (s *Server) SetAPIVersion(date string) {
	s.set(func() { s.version = cmp.Or(date, defaultVersion) })
}

// SetRateLimit limits each credential to perMinute requests in any 60 seconds, and answers
// 429 beyond that. Whop's documented limit is 600. 0, the default, means no limit.
func (s *Server) SetRateLimit(perMinute int) { s.set(func() { s.limit.perMinute = perMinute }) }

// SetHistoryLimit bounds the memory of a server that runs for long. [Server.Requests] and
// [Server.Queued] each keep the last n requests, with at most 64 MiB of bodies and headers.
// For a request without an accepted key, the server keeps only ID, times, status and reason,
// and logs only the last two. It remembers the last 100,000 idempotency keys. 0, the default,
// keeps everything.
func (s *Server) SetHistoryLimit(n int) {
	s.set(func() {
		s.history.limit = max(n, 0)
		s.history.trim()
	})
}

// SetClock replaces time.Now. Use it to let keys expire and limits recover.
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

// Script sets the replies to the next requests, in order of arrival, after any that are
// already scripted. Later requests are served as usual.
func (s *Server) Script(replies ...Reply) {
	s.set(func() { s.script = append(s.script, replies...) })
}

// ScriptFunc lets choose decide the reply to every request that Script leaves open, for
// example to inject random faults. The server calls it for one request at a time, in order of
// arrival, before reading the body. It must not use the server. nil restores normal service.
func (s *Server) ScriptFunc(choose func(Request) Reply) {
	s.set(func() { s.choose = choose })
}

// Scripted returns the replies of Script that no request has used yet.
func (s *Server) Scripted() []Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.script)
}

// Forget forgets all requests, idempotency keys, scripted replies and counts of the rate
// limit. Use it between two tests. Requests in flight go on, but are not recorded. IDs keep
// counting up, and the function of ScriptFunc stays.
func (s *Server) Forget() {
	s.set(func() {
		s.history.forget()
		s.keys, s.script, s.limit.passed = idempotencyKeys{}, nil, nil
	})
}

// Requests returns the requests in order of arrival: all of them, or those that
// [Server.SetHistoryLimit] keeps.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.history.requests)
}

// Queued returns the requests whose notifications Whop would have delivered, in order: all
// of them, or those that [Server.SetHistoryLimit] keeps. It leaves out replays, whose
// notification was queued before.
func (s *Server) Queued() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copies(s.history.queued)
}
