package queue_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The test binary is also a NATS server and a worker, as processes that can be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("QUEUE_TEST_ROLE") {
	case "nats":
		serveNATS()
	case "worker":
		serveWorker()
	}
	// Most tests wait rather than work.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	// The server asks a source for seconds, also when it is shut down.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"))
}

func numbers(s string) (ns []int) {
	for word := range strings.SplitSeq(s, ",") {
		n, _ := strconv.Atoi(word)
		ns = append(ns, n)
	}
	return ns
}

func joined(ns []int) string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(ns), " ", ","), "[]") }

func serveNATS() {
	i, _ := strconv.Atoi(os.Getenv("INDEX"))
	opts := clusterOptions(i, os.Getenv("DIR"), numbers(os.Getenv("CLIENT")), numbers(os.Getenv("ROUTE")))
	if os.Getenv("ALONE") != "" {
		opts.Cluster, opts.Routes = server.ClusterOpts{}, nil
	}
	s, err := server.NewServer(opts)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	if !s.ReadyForConnections(time.Minute) {
		os.Exit(1)
	}
	fmt.Println("ready")
	select {}
}

func serveWorker() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, nil))
	fail := func(err error) {
		if err != nil {
			logger.Error("the worker ended", "error", err)
			os.Exit(1)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	nc, err := nats.Connect(os.Getenv("NATS"), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true))
	fail(err)
	defer nc.Close()
	q, err := queue.Open(ctx, nc, queue.WithLogger(logger))
	fail(err)
	c, err := whop.NewClient(whop.WithBaseURL(os.Getenv("WHOP")), whop.WithAPIKey(os.Getenv("KEY")), whop.WithUserAgent(os.Getenv("AGENT")),
		whop.WithLimiter(q.Limiter(100_000)), whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
	fail(err)
	fmt.Println("ready")
	fail(q.Work(ctx, c, 4))
	os.Exit(0)
}

// process is a server or worker. The test ends it if nothing else does.
type process struct {
	t    testing.TB
	env  []string
	cmd  *exec.Cmd
	once func()

	running bool
	ready   chan struct{}
	log     []string // the last lines
}

func start(t testing.TB, env ...string) *process {
	t.Helper()
	p := &process{t: t, env: env}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s:\n%s", env[1], strings.Join(p.log, "\n"))
		}
	})
	return p
}

// startOnly starts or restarts the process.
func (p *process) startOnly() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], "-test.run=^$")
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.cmd.Start())
	ready := make(chan struct{})
	var reading sync.WaitGroup
	cmd := p.cmd
	reading.Go(func() {
		isReady := false
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if !isReady && lines.Text() == "ready" {
				isReady = true
				close(ready)
			}
			if log := append(p.log, lines.Text()); len(log) > 200 {
				p.log = log[100:]
			} else {
				p.log = log
			}
		}
		_, _ = io.Copy(io.Discard, out)
	})
	p.once = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Process.Signal(syscall.SIGCONT)
		reading.Wait()
		_ = cmd.Wait()
	})
	p.running, p.ready = true, ready
}

// start starts or restarts the process, and waits until it is ready.
func (p *process) start() {
	p.t.Helper()
	p.startOnly()
	select {
	case <-p.ready:
	case <-time.After(patience):
		p.once()
		require.Fail(p.t, "not ready", p.env)
	}
}

func (p *process) kill()              { p.once(); p.running = false }
func (p *process) signal(s os.Signal) { require.NoError(p.t, p.cmd.Process.Signal(s)) }
func (p *process) freeze() (thaw func()) {
	p.signal(syscall.SIGSTOP)
	p.running = false
	return func() { p.signal(syscall.SIGCONT); p.running = true }
}

// site has three servers and three workers, each a process, a stand-in for Whop, and a producer
// that enqueues all the time.
type site struct {
	t       testing.TB
	whop    *whoptest.Server
	servers []*process
	workers []*process
	q       *queue.Queue
	urls    string

	mu       sync.Mutex
	enqueued map[string]bool
	unsure   int
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, whop: whoptest.NewServer(t), enqueued: map[string]bool{}}
	client, route := freePorts(t, 3), freePorts(t, 3)
	for i := range 3 {
		s.servers = append(s.servers, start(t, "QUEUE_TEST_ROLE=nats", fmt.Sprintf("INDEX=%d", i), "DIR="+t.TempDir(),
			"CLIENT="+joined(client), "ROUTE="+joined(route)))
	}
	for i := range 3 {
		s.urls += fmt.Sprintf("nats://127.0.0.1:%d,", client[i])
	}
	s.urls = strings.TrimSuffix(s.urls, ",")
	s.q = open(t, connect(t, s.urls), queue.WithReplicas(3))
	for i := range 3 {
		s.workers = append(s.workers, start(t, "QUEUE_TEST_ROLE=worker", fmt.Sprintf("AGENT=worker-%d", i),
			"NATS="+s.urls, "WHOP="+s.whop.URL(), "KEY="+s.whop.APIKey()))
	}
	return s
}

// leader returns the server that leads the stream.
func (s *site) leader() *process {
	s.t.Helper()
	var name string
	require.True(s.t, waitFor(func() bool {
		stream, err := streams(s.t, s.q).Stream(s.t.Context(), s.q.Name())
		if err != nil || stream.CachedInfo().Cluster == nil {
			return false
		}
		name = stream.CachedInfo().Cluster.Leader
		return name != ""
	}))
	i, err := strconv.Atoi(strings.TrimPrefix(name, "s"))
	require.NoError(s.t, err)
	return s.servers[i]
}

// enqueueUntil enqueues, twenty a second, until the function that it returns is called.
func (s *site) enqueueUntil() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for part := range 2 {
		working.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				time.Sleep(100 * time.Millisecond)
				n := numbered(part*1_000_000 + i)
				enqueueing, end := context.WithTimeout(context.Background(), patience)
				_, err := s.q.Enqueue(enqueueing, n)
				end()
				s.mu.Lock()
				s.enqueued[n.IdempotencyKey()] = err == nil
				if err != nil {
					s.unsure++
				}
				s.mu.Unlock()
			}
		})
	}
	return func() { cancel(); working.Wait() }
}

// resumed waits until every worker has sent a notification that it began after now, and returns
// how long that took.
func (s *site) resumed(since time.Time) time.Duration {
	s.t.Helper()
	var last time.Time
	if !waitFor(func() bool {
		first := map[string]time.Time{}
		for _, r := range s.whop.Requests() {
			agent, _, _ := strings.Cut(r.Header.Get("User-Agent"), " ")
			if _, ok := first[agent]; !ok && r.Time.After(since) {
				first[agent] = r.Time
			}
		}
		for _, at := range first {
			if at.After(last) {
				last = at
			}
		}
		running := 0
		for _, w := range s.workers {
			if w.running {
				running++
			}
		}
		return len(first) >= running
	}) {
		require.Fail(s.t, "not all workers send again")
	}
	return last.Sub(since)
}

// led waits until every stream and consumer has a leader among the servers that run, and returns
// how long that took.
func (s *site) led(since time.Time) time.Duration {
	s.t.Helper()
	urls := strings.Split(s.urls, ",")
	i := slices.IndexFunc(s.servers, func(p *process) bool { return p.running })
	nc := connect(s.t, urls[i])
	defer nc.Close()
	var asking sync.WaitGroup
	for _, what := range []string{
		"STREAM.INFO.whop-notify", "STREAM.INFO.whop-notify-retry", "STREAM.INFO.whop-notify-attempts", "STREAM.INFO.whop-notify-dead",
		"STREAM.INFO.KV_whop-notify-limits", "CONSUMER.INFO.whop-notify.workers", "CONSUMER.INFO.whop-notify-retry.retries",
	} {
		asking.Go(func() {
			assert.True(s.t, waitFor(func() bool {
				answer, err := nc.Request("$JS.API."+what, nil, 500*time.Millisecond)
				return err == nil && !bytes.Contains(answer.Data, []byte(`"error"`))
			}), what)
		})
	}
	asking.Wait()
	return time.Since(since)
}

// judge waits until all is settled, and checks each notification against its record.
func (s *site) judge() {
	s.t.Helper()
	end := time.Now().Add(3 * time.Minute)
	var stats queue.Stats
	for {
		ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
		var err error
		stats, err = s.q.Stats(ctx)
		cancel()
		if err == nil && stats.Waiting+stats.Retrying+stats.InFlight == 0 {
			break
		}
		if time.Now().After(end) {
			text, _ := json.Marshal(stats)
			require.Fail(s.t, "not all is settled", "%s %v", text, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	queued := map[string]int{}
	for _, r := range s.whop.Queued() {
		queued[r.IdempotencyKey]++
	}
	dead := map[string]whop.Outcome{}
	for _, letter := range graveyard(s.t, s.q) {
		_, twice := dead[letter.IdempotencyKey]
		require.False(s.t, twice, "two dead letters under %s", letter.IdempotencyKey)
		dead[letter.IdempotencyKey] = letter.Outcome
	}
	unknown := 0
	for key, sure := range s.enqueued {
		outcome, isDead := dead[key]
		switch {
		case queued[key] > 1:
			require.Fail(s.t, "sent twice", key)
		case isDead && outcome != whop.Unknown:
			require.Zero(s.t, queued[key], "%s is queued, and the dead letter says %v", key, outcome)
		case isDead:
			unknown++
		case sure:
			require.Equal(s.t, 1, queued[key], "%s is lost", key)
		}
	}
	require.Equal(s.t, len(queued)+len(dead)-overlap(queued, dead), stats.Sent+stats.Dead)
	s.t.Logf("%d enqueued (%d not for certain), %d queued, %d dead, of which unknown %d", len(s.enqueued), s.unsure, len(queued), len(dead), unknown)
}

func overlap(queued map[string]int, dead map[string]whop.Outcome) (n int) {
	for key := range dead {
		if queued[key] > 0 {
			n++
		}
	}
	return n
}
