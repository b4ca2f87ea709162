package main_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestEnqueueAndWorkOverNATS(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	hub := startNATS(t)
	file := fileOf(t, 50)
	env := append(environment(server), "NATS_URL="+hub.url())
	q := hub.open()

	f := execute(t, env, "enqueue", file)
	require.Equal(t, finished{0, "enqueued: 50 of 50 notifications; 0 were in the queue already\n", "50 of 50 notifications: to everybody in the target\n"}, f)
	f = execute(t, env, "enqueue", file, "--output", "json")
	require.Zero(t, f.code)
	require.Equal(t, `{"notifications":50,"enqueued":0,"duplicates":50,"will_not_go":0,"not_enqueued":0,"uncertain":0}`+"\n", f.stdout)
	require.Contains(t, f.stderr, "--run NAME sends the lines without a key of their own once more.")

	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		if r.IdempotencyKey == "invoice-3" {
			return whoptest.Error(422, "", "Verify first.")
		}
		return whoptest.Serve()
	})
	p := start(t, env, "work", "--rate-limit", "0")
	p.await("msg=working")
	stats := settled(t, q, patience)
	require.Equal(t, 49, stats.Sent)
	require.Equal(t, 1, stats.Dead)
	p.await("now a dead letter")
	p.signal(syscall.SIGTERM)
	f = p.finish()
	require.Zero(t, f.code, f.stderr)
	require.Empty(t, f.stdout)
	onceEach(t, server, 49)

	list := execute(t, []string{"NATS_URL=" + hub.url()}, "dead", "list", "--output", "json")
	require.Zero(t, list.code)
	require.Equal(t, "invoice-3", parseAs[deadResult](t, list.stdout).IdempotencyKey)

	// What has come before, and will not go out, is no success.
	f = execute(t, env, "enqueue", file)
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stdout, "enqueued: 0 of 50 notifications; 49 were in the queue already\n")
	require.Contains(t, f.stderr, "came before, and will not go out by themselves, as dead letters or dropped ones: 1 notification\nSee which: whop-notify dead list\n")

	// On purpose again: only the lines without a key of their own are new.
	f = executeWith(t, `{"company_id":"biz_1","title":"Paid","content":"Again"}`, env, "enqueue", "-", "--run", "second")
	require.Zero(t, f.code, f.stderr)
	p = start(t, env, "work", "--rate-limit", "0")
	settled(t, q, patience)
	require.Equal(t, 1, delivered(t, server)["Again"])
	p.signal(syscall.SIGINT)
	require.Zero(t, p.finish().code)
}

// A key that came with another text is not dropped in silence.
func TestEnqueueNamesTheLineWhoseKeyIsTaken(t *testing.T) {
	t.Parallel()
	hub := startNATS(t)
	hub.open()
	const line = `{"company_id":"biz_1","title":"Paid","content":%q,"idempotency_key":"k"}`
	f := executeWith(t, fmt.Sprintf(line, "one"), nil, "enqueue", "-", "--nats", hub.url())
	require.Zero(t, f.code, f.stderr)
	f = executeWith(t, "\n"+fmt.Sprintf(line, "two"), nil, "enqueue", "-", "--nats", hub.url())
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, `line 2: queue: the key "k" came with another notification`)
}

// Whop announces in its answers that it retires a version. A worker says so once.
func TestWorkTellsOfTheAPIsRetirement(t *testing.T) {
	t.Parallel()
	hub, server := startNATS(t), whoptest.NewServer(t)
	busy := whoptest.Error(503, "", "Busy.").WithHeader("Deprecation", "@1790000000").WithHeader("Sunset", "Thu, 31 Dec 2026 23:59:59 GMT")
	server.Script(busy, busy)
	env := append(environment(server), "NATS_URL="+hub.url())
	require.Zero(t, execute(t, env, "enqueue", fileOf(t, 20)).code)
	p := start(t, env, "work", "--rate-limit", "0")
	require.Eventually(t, func() bool { return len(server.Queued()) == 20 }, patience, 10*time.Millisecond)
	p.signal(syscall.SIGTERM)
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	require.Equal(t, 1, strings.Count(f.stderr, "going to be retired"), f.stderr)
	require.NotContains(t, f.stderr, "whop: attempt")
}

func TestWorkEndsWithAWrongKey(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	hub := startNATS(t)
	q := hub.open()
	require.Zero(t, execute(t, nil, "enqueue", fileOf(t, 20), "--nats", hub.url()).code)
	f := execute(t, []string{"WHOP_BASE_URL=" + server.URL(), "WHOP_API_KEY=wrong"}, "work", "--nats", hub.url(), "--rate-limit", "0")
	require.Equal(t, 1, f.code)
	require.Contains(t, f.stderr, "401 Unauthorized")
	require.Contains(t, f.stderr, "Nothing is lost")
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 20, stats.Waiting+stats.Retrying+stats.InFlight)
}

// Four processes together keep one budget, in every 60 s, as Whop would count.
func TestWorkersShareOneBudget(t *testing.T) {
	t.Parallel()
	budget, length := 40, 6*time.Second
	if soaking() {
		budget, length = 180, 75*time.Second
	}
	const processes = 4
	server := whoptest.NewServer(t)
	hub := startNATS(t)
	hub.open()
	require.Zero(t, execute(t, nil, "enqueue", fileOf(t, 5*budget), "--nats", hub.url()).code)
	var workers []*process
	for range processes {
		workers = append(workers, start(t, environment(server), "work", "--nats", hub.url(), "--rate-limit", fmt.Sprint(budget)))
	}
	for _, p := range workers {
		p.await("msg=working")
	}
	time.Sleep(length)
	for _, p := range workers {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range workers {
		f := p.finish()
		require.Zero(t, f.code, f.stderr)
	}
	requests := server.Requests()
	most := 0
	for i, first := range requests {
		n := 0
		for _, r := range requests[i:] {
			if r.Time.Sub(first.Time) <= time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	t.Logf("%d requests, at most %d in any 60 s", len(requests), most)
	require.LessOrEqual(t, most, budget)
	require.Greater(t, most, budget/20, "the budget is used")
}
