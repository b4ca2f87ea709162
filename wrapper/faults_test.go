package wrapper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// The client keeps its promises whatever the server does. WHOP_FAULT_SEED repeats a run;
// WHOP_SOAK, a duration, repeats the suite with new seeds for that long.
func TestFaults(t *testing.T) {
	soak := time.Duration(0)
	if s := os.Getenv("WHOP_SOAK"); s != "" {
		var err error
		soak, err = time.ParseDuration(s)
		require.NoError(t, err, "WHOP_SOAK")
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("WHOP_FAULT_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err, "WHOP_FAULT_SEED")
	}
	for start := time.Now(); ; seed++ {
		t.Run("HTTP/1, default", func(t *testing.T) { suffer(t, seed, 11_000, false, overHTTP1) })
		t.Run("HTTP/1, AtMostOnce", func(t *testing.T) { suffer(t, seed, 11_000, true, overHTTP1) })
		t.Run("HTTP/2, default", func(t *testing.T) { suffer(t, seed, 3_000, false, overHTTP2) })
		t.Run("HTTP/2, AtMostOnce", func(t *testing.T) { suffer(t, seed, 3_000, true, overHTTP2) })
		if t.Failed() || time.Since(start) >= soak {
			return
		}
	}
}

// faults is everything that the server can do to a request, each as often as it stands
// here. What answers "no" does not queue: a server that lies about that is past help.
func faults(atMostOnce bool) []whoptest.Reply {
	all := []whoptest.Reply{
		whoptest.Reset(), whoptest.Reset(), whoptest.Reset().AfterQueueing(), whoptest.Reset().AfterQueueing(),
		whoptest.Stall(), whoptest.Stall().AfterQueueing(),
		whoptest.Truncate(), whoptest.Truncate(),
		whoptest.Garbage([]byte("SSH-2.0-OpenSSH_9.2\r\n")), whoptest.Garbage(nil), whoptest.Garbage([]byte("HTTP/1.1 200 OK\r\n")).AfterQueueing(),
		whoptest.Raw(200, "text/html", "<html>").AfterQueueing(), whoptest.Raw(200, "text/html", "<html>"), whoptest.Raw(204, "", "").AfterQueueing(),
		whoptest.Raw(200, "application/json", strings.Repeat(" ", 2<<20)).AfterQueueing(),
		whoptest.NotQueued(), whoptest.NotQueued().Remembered(),
		whoptest.Error(301, "", "").WithHeader("Location", "/api/v1/notifications"), whoptest.Error(307, "", "").WithHeader("Location", "http://[bad"),
		whoptest.Error(400, "", ""), whoptest.Error(401, "", "").Remembered(), whoptest.Error(403, "", ""), whoptest.Error(404, "", ""),
		whoptest.Raw(422, "application/json", `{"error":null}`),
		whoptest.Error(400, "", "").WithHeader("X-Should-Retry", "true"), whoptest.Error(503, "", "").WithHeader("X-Should-Retry", "false"),
		whoptest.Error(408, "", ""), whoptest.Error(408, "", "").Remembered(),
		whoptest.RateLimitedAfter(time.Millisecond), whoptest.RateLimitedAfter(time.Millisecond).Remembered(),
		whoptest.Error(409, "idempotency_request_in_progress", ""), whoptest.Error(409, "", ""),
	}
	for _, status := range []int{500, 502, 503, 504, 529} {
		all = append(all, whoptest.Error(status, "", "down"), whoptest.Error(status, "", "down").AfterQueueing())
	}
	if !atMostOnce { // that the first request still runs is reason to ask again, even then
		all = append(all, whoptest.Error(409, "idempotency_request_in_progress", "").AfterQueueing())
	}
	return all
}

// stage is a server and the way to it.
type stage struct {
	server    *whoptest.Server
	baseURL   string
	transport http.RoundTripper
}

func overHTTP1(t *testing.T) stage {
	server := whoptest.NewServer(t)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if rand.Float64() < 0.2 {
			return nil, dialError
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	t.Cleanup(transport.CloseIdleConnections)
	return stage{server, server.URL(), transport}
}

func overHTTP2(t *testing.T) stage {
	server, err := whoptest.New()
	require.NoError(t, err)
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "HTTP/2.0", r.Proto)
		server.ServeHTTP(w, r)
	}))
	front.EnableHTTP2 = true
	front.Config.ErrorLog = quiet
	front.StartTLS()
	t.Cleanup(front.Close)
	t.Cleanup(server.Close)
	return stage{server, front.URL + "/api/v1", front.Client().Transport}
}

// suffer sends n notifications, and then holds what each send said against what the
// server knows.
func suffer(t *testing.T, seed uint64, n int, atMostOnce bool, set func(*testing.T) stage) {
	const workers, faulty = 16, 0.35
	t.Logf("WHOP_FAULT_SEED=%d", seed)
	s := set(t)

	dice := rand.New(rand.NewPCG(seed, 1))
	replies := faults(atMostOnce)
	s.server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
		if dice.Float64() >= faulty {
			return whoptest.Serve()
		}
		return replies[dice.IntN(len(replies))]
	})

	said := make([]error, n)
	receipts := make([]*whop.Receipt, n)
	var next atomic.Int64
	var sending sync.WaitGroup
	for worker := range workers {
		sending.Go(func() {
			var client *whop.Client
			for sent := 0; ; sent++ {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if sent%50 == 0 { // a new one now and then, or the retry budget stays empty
					client = newClient(t, s.baseURL, whop.WithAPIKey(s.server.APIKey()),
						whop.WithHTTPClient(&http.Client{Transport: s.transport}),
						whop.WithAttemptTimeout(250*time.Millisecond),
						whop.WithRetryPolicy(whop.RetryPolicy{BaseDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond, AtMostOnce: atMostOnce}))
				}
				notification := whop.ToCompany("biz_1", whop.Message{Title: strconv.Itoa(i), Content: fmt.Sprint(worker)})
				if i%3 != 0 {
					notification = notification.WithIdempotencyKey("send-" + strconv.Itoa(i))
				}
				receipts[i], said[i] = client.Send(t.Context(), notification)
			}
		})
	}
	sending.Wait()

	queued := map[int]int{}
	lastUnder := map[string]int{} // the place of the last request under a key
	queuedAt := map[string]int{}
	requests := s.server.Requests()
	for at, r := range requests {
		lastUnder[r.IdempotencyKey] = at
	}
	underKey := map[string]int{}
	for _, r := range s.server.Queued() {
		var body struct{ Title string }
		require.NoError(t, json.Unmarshal(r.Body, &body))
		i, err := strconv.Atoi(body.Title)
		require.NoError(t, err)
		queued[i]++
		underKey[r.IdempotencyKey]++
	}
	for at, r := range requests {
		if _, seen := queuedAt[r.IdempotencyKey]; !seen && underKey[r.IdempotencyKey] > 0 && r.Queued {
			queuedAt[r.IdempotencyKey] = at
		}
	}
	for key, times := range underKey {
		require.Equal(t, 1, times, "queued under the key %s", key)
	}
	count := map[string]int{}
	for i, err := range said {
		require.LessOrEqual(t, queued[i], 1, "send %d: %v", i, err)
		if err == nil {
			count["queued"]++
			require.Equal(t, 1, queued[i], "send %d says it is queued", i)
			require.Equal(t, 1, underKey[receipts[i].IdempotencyKey])
			continue
		}
		failure, ok := errors.AsType[*whop.SendError](err)
		require.True(t, ok)
		count[failure.Outcome.String()]++
		if failure.Outcome != whop.Unknown {
			require.Zero(t, queued[i], "send %d: %v", i, err)
		}
	}
	if atMostOnce {
		for key, at := range queuedAt {
			require.Equal(t, at, lastUnder[key], "nothing is sent again under %s once it is queued", key)
		}
	}
	t.Logf("%d sends, %d requests, said %v, queued %d", n, len(requests), count, len(queued))
	for _, outcome := range []string{"queued", "rejected", "unknown"} {
		require.NotZero(t, count[outcome], outcome)
	}
}
