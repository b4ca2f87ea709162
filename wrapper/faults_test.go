package wrapper_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The fault suite sends through a server that fails at random in every way whoptest
// can, and then compares what each send returned with what the server did.
//
//	WHOP_FAULT_SEED=7    draws the same faults again
//	WHOP_SOAK=5m         goes on for that long, with fresh seeds; make soak sets it

const (
	faultWorkers   = 16
	sendsPerRound  = 1000
	faultRounds    = 8 // 8,000 sends
	faultRoundsH2  = 2
	attemptTimeout = 250 * time.Millisecond
)

func TestFaults(t *testing.T) { faultSuite(t, faultRounds, plainPeer) }

func TestFaultsOverHTTP2(t *testing.T) { faultSuite(t, faultRoundsH2, http2Peer) }

// peer is a server with how to reach it.
type peer struct {
	server    *whoptest.Server
	baseURL   string
	transport func() *http.Transport
	close     func()
}

func plainPeer(t testing.TB) peer {
	server, err := whoptest.Start("127.0.0.1:0")
	require.NoError(t, err)
	return peer{
		server:    server,
		baseURL:   server.URL(),
		transport: func() *http.Transport { return &http.Transport{} },
		close:     server.Close,
	}
}

func http2Peer(t testing.TB) peer {
	server, err := whoptest.New()
	require.NoError(t, err)
	mounted := httptest.NewUnstartedServer(server)
	mounted.Config.ErrorLog = quiet
	mounted.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t)}}
	mounted.EnableHTTP2 = true
	mounted.StartTLS()
	return peer{
		server:    server,
		baseURL:   mounted.URL + "/api/v1",
		transport: func() *http.Transport { return mounted.Client().Transport.(*http.Transport).Clone() },
		close: func() {
			server.Close()
			mounted.CloseClientConnections()
			mounted.Close()
		},
	}
}

func faultSuite(t *testing.T, rounds int, start func(testing.TB) peer) {
	seed := rand.Uint64()
	if env := os.Getenv("WHOP_FAULT_SEED"); env != "" {
		var err error
		seed, err = strconv.ParseUint(env, 10, 64)
		require.NoError(t, err, "WHOP_FAULT_SEED")
	}
	t.Logf("WHOP_FAULT_SEED=%d", seed)
	if testing.Short() {
		rounds = min(rounds, 2)
	}
	goOn := func(round int) bool { return round < rounds }
	if env := os.Getenv("WHOP_SOAK"); env != "" {
		soak, err := time.ParseDuration(env)
		require.NoError(t, err, "WHOP_SOAK")
		end := time.Now().Add(soak)
		goOn = func(int) bool { return time.Now().Before(end) }
	}

	total := newTally()
	begin := time.Now()
	for round := 0; goOn(round) && !t.Failed(); round++ {
		faultRound(t, seed+uint64(round), start(t), total)
	}
	t.Logf("%v in %v", total, time.Since(begin).Round(time.Millisecond))
	if !t.Failed() && total.sends >= faultRounds*sendsPerRound { // what is rare may miss a shorter run
		total.requireEverything(t)
	}
}

// oneSend is a send of the suite, and all that its caller gets to know.
type oneSend struct {
	title      string
	key        string // its own, or ""
	large      bool   // its body takes more than one write
	patience   time.Duration
	client     *whop.Client
	atMostOnce bool

	receipt  *whop.Receipt
	failure  *whop.SendError
	observed []whop.Attempt
	again    error // of sending once more under the same key
}

func (s *oneSend) notification() whop.Notification {
	m := whop.Message{Title: s.title, Content: "Invoice 7 is paid"}
	if s.large {
		m.Content = strings.Repeat("paid ", 4000)
	}
	n := whop.ToCompany("biz_1", m)
	if s.key != "" {
		n = n.WithIdempotencyKey(s.key)
	}
	return n
}

type sendOfContext struct{}

func observe(ctx context.Context, a whop.Attempt) {
	s := ctx.Value(sendOfContext{}).(*oneSend)
	s.observed = append(s.observed, a)
}

// opaque hides what kind of transport it is.
type opaque struct{ http.RoundTripper }

// faultRound makes sendsPerRound sends with one server and a few clients, sends once
// more what is in doubt, and checks everything.
func faultRound(t *testing.T, seed uint64, peer peer, total *tally) {
	draw := newDraw(seed)
	peer.server.ScriptFunc(draw.reply)
	clients, closeIdle := faultClients(t, seed, peer)
	sends := drawSends(seed, clients)

	inParallel(sends, func(s *oneSend) { s.run(t) })
	peer.server.ScriptFunc(nil)
	resend(t, peer, sends)
	closeIdle()
	peer.close() // what is still on its way arrives before, or never

	truth := learnTruth(t, peer.server, draw)
	for _, s := range sends {
		if problems := truth.check(s); len(problems) > 0 {
			t.Errorf("WHOP_FAULT_SEED=%d: %s", seed, truth.describe(s, problems))
		}
		total.add(s)
	}
	total.addReplies(draw)
}

func inParallel(sends []*oneSend, do func(*oneSend)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range faultWorkers {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(sends); i = next.Add(1) - 1 {
				do(sends[i])
			}
		})
	}
	workers.Wait()
}

type faultClient struct {
	*whop.Client
	atMostOnce bool
}

func faultClients(t testing.TB, seed uint64, peer peer) (clients []faultClient, closeIdle func()) {
	var tokens atomic.Uint64
	unreliable := whop.WithTokenSource(func(context.Context) (string, error) {
		if rand.New(rand.NewPCG(seed, tokens.Add(1))).IntN(100) == 0 {
			return "", errors.New("token service unavailable")
		}
		return peer.server.APIKey(), nil
	})
	var transports []*http.Transport
	for i, policy := range []whop.RetryPolicy{
		{},
		{AtMostOnce: true},
		{MaxAttempts: 6},
		{AtMostOnce: true, MaxAttempts: 6},
		{MaxAttempts: 1},
		{MaxAttempts: 4},
	} {
		transport := peer.transport()
		transports = append(transports, transport)
		transport.MaxIdleConnsPerHost = faultWorkers
		var sender http.RoundTripper = transport
		opts := []whop.Option{whop.WithAPIKey(peer.server.APIKey())}
		if i == 2 || i == 3 {
			sender = opaque{transport}
			opts = append(opts, unreliable)
		}
		policy.BaseDelay, policy.MaxDelay, policy.MaxRetryAfter = time.Millisecond, 4*time.Millisecond, 100*time.Millisecond
		client := newClient(t, peer.baseURL, append(opts,
			whop.WithHTTPClient(&http.Client{Transport: sender}),
			whop.WithAttemptTimeout(attemptTimeout),
			whop.WithRetryPolicy(policy),
			whop.WithObserver(observe))...)
		clients = append(clients, faultClient{client, policy.AtMostOnce})
	}
	return clients, func() {
		for _, transport := range transports {
			transport.CloseIdleConnections()
		}
	}
}

func drawSends(seed uint64, clients []faultClient) []*oneSend {
	rng := rand.New(rand.NewPCG(seed, 0))
	sends := make([]*oneSend, sendsPerRound)
	for i := range sends {
		client := clients[rng.IntN(len(clients))]
		s := &oneSend{title: fmt.Sprint("Send ", i), client: client.Client, atMostOnce: client.atMostOnce}
		if rng.IntN(4) > 0 {
			s.key = fmt.Sprint("send-", i)
		}
		s.large = rng.IntN(20) == 0
		if rng.IntN(20) == 0 {
			s.patience = time.Duration(1+rng.IntN(40_000)) * time.Microsecond
		}
		sends[i] = s
	}
	return sends
}

func (s *oneSend) run(t testing.TB) {
	ctx := context.WithValue(t.Context(), sendOfContext{}, s)
	if s.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		defer cancel()
	}
	var err error
	s.receipt, err = s.client.Send(ctx, s.notification())
	s.failure, _ = errors.AsType[*whop.SendError](err)
}

// resend sends what is in doubt once more under the same key, without faults.
func resend(t testing.TB, peer peer, sends []*oneSend) {
	transport := peer.transport()
	defer transport.CloseIdleConnections()
	transport.MaxIdleConnsPerHost = faultWorkers
	client := newClient(t, peer.baseURL,
		whop.WithAPIKey(peer.server.APIKey()),
		whop.WithUserAgent(secondTime),
		whop.WithHTTPClient(&http.Client{Transport: transport}),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 20, BaseDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond}))
	inParallel(sends, func(s *oneSend) {
		if s.failure != nil && s.failure.Outcome == whop.Unknown {
			_, s.again = client.Send(t.Context(), s.notification().WithIdempotencyKey(s.failure.IdempotencyKey))
		}
	})
}

const secondTime = "second-time"
