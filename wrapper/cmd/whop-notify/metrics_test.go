package main_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

var metricsFlag = []string{"--metrics-addr", "127.0.0.1:0"}

// shown returns the address of a process's metrics.
func shown(p *process) string {
	p.t.Helper()
	line := p.await("metrics on ")
	require.Regexp(p.t, `^metrics on http://127\.0\.0\.1:[1-9]\d*/metrics$`, line)
	return strings.TrimSuffix(strings.TrimPrefix(line, "metrics on "), "/metrics")
}

func look(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	resp, err := client.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func untilReady(t *testing.T, base string) {
	t.Helper()
	require.Eventually(t, func() bool { status, _ := look(t, base+"/readyz"); return status == 200 }, patience, 50*time.Millisecond)
}

// value is that of one series, of the label queue and the given ones.
func value(t *testing.T, base, name, labels string) float64 {
	t.Helper()
	status, text := look(t, base+"/metrics")
	require.Equal(t, 200, status)
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `\{` + labels + `\} (\S+)$`).FindStringSubmatch(text)
	require.NotNil(t, found, "%s{%s} in %s", name, labels, text)
	v, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	return v
}

func TestMetricsOfAWorker(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	hub := startNATS(t)
	q := hub.open()
	env := append(environment(server), "NATS_URL="+hub.url())
	stall := make(chan struct{})
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		switch r.IdempotencyKey {
		case "invoice-3":
			return whoptest.Error(422, "", "Verify first.")
		case "again":
			return whoptest.Error(503, "", "Later.")
		case "slow":
			close(stall)
			return whoptest.Stall()
		}
		return whoptest.Serve()
	})
	require.Zero(t, execute(t, env, "enqueue", fileOf(t, 5)).code)
	one := func(key string) {
		f := executeWith(t, fmt.Sprintf(`{"company_id":"biz_1","title":"T","content":"C","idempotency_key":%q}`, key), env, "enqueue", "-")
		require.Zero(t, f.code, f.stderr)
	}
	p := startRaced(t, env, append([]string{"work", "--rate-limit", "0", "--max-attempts", "1", "--drain-timeout", "1s"}, metricsFlag...)...)
	base := shown(p)
	untilReady(t, base)
	settled(t, q, patience)
	one("again")
	const ofQueue = `queue="whop-notify"`
	require.Eventually(t, func() bool {
		return value(t, base, "whop_notify_retries_total", ofQueue+`,stage="queue"`) > 0 && value(t, base, "whop_notify_queue_notifications", ofQueue+`,state="retrying"`) == 1
	}, patience, 100*time.Millisecond)
	for _, want := range []struct {
		name, labels string
		value        float64
	}{
		{"whop_notify_notifications_total", `outcome="queued",` + ofQueue, 4},
		{"whop_notify_notifications_total", `outcome="rejected",` + ofQueue, 1},
		{"whop_notify_attempts_total", `code="200",` + ofQueue, 4},
		{"whop_notify_attempts_total", `code="422",` + ofQueue, 1},
		{"whop_notify_queue_sent_total", ofQueue, 4},
		{"whop_notify_queue_notifications", ofQueue + `,state="dead"`, 1},
	} {
		require.Equal(t, want.value, value(t, base, want.name, want.labels), want)
	}
	require.GreaterOrEqual(t, value(t, base, "whop_notify_attempts_total", `code="503",`+ofQueue), 1.0)
	require.InDelta(t, time.Now().Unix(), value(t, base, "whop_notify_queue_last_success_timestamp_seconds", ofQueue), 60)
	_, all := look(t, base+"/metrics")
	require.Contains(t, all, "\ngo_goroutines ")

	// While NATS is away, nothing is taken for as it was; then it goes on by itself.
	hub.kill()
	require.Eventually(t, func() bool {
		status, body := look(t, base+"/readyz")
		return status == 503 && strings.Contains(body, "see that NATS runs and can be reached")
	}, patience, 100*time.Millisecond)
	require.Zero(t, value(t, base, "whop_notify_queue_up", ofQueue))
	status, _ := look(t, base+"/healthz")
	require.Equal(t, 200, status)
	hub.start()
	untilReady(t, base)

	// Until the end it tells that it is ending.
	one("slow")
	<-stall
	p.signal(syscall.SIGTERM)
	require.Eventually(t, func() bool {
		status, body := look(t, base+"/readyz")
		return status == 503 && strings.HasPrefix(body, "ending: ")
	}, patience, 20*time.Millisecond)
	require.Equal(t, 1.0, value(t, base, "whop_notify_queue_up", ofQueue))
	f := p.finish()
	require.Zero(t, f.code, f.stderr)
	require.Empty(t, f.stdout)
}

func TestMetricsOfARelay(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p, base, metrics := watchedRelay(t, environment(server), "--state", filepath.Join(t.TempDir(), "relay"), "--rate-limit", "0")
	untilReady(t, metrics)
	keyed := request{body: toCompany, header: map[string]string{"Idempotency-Key": "k"}}
	require.Equal(t, 200, ask(t, base, keyed).status)
	require.Equal(t, 200, ask(t, base, keyed).status)
	require.Equal(t, 400, ask(t, base, request{body: `{}`}).status)
	for result, n := range map[string]float64{"accepted": 1, "replayed": 1, "invalid": 1, "unavailable": 0} {
		require.Eventually(t, func() bool { // a request is counted once it is answered
			return value(t, metrics, "whop_notify_relay_requests_total", `queue="whop-notify",result="`+result+`"`) == n
		}, patience, 10*time.Millisecond, result)
	}
	require.Equal(t, 2.0, value(t, metrics, "whop_notify_relay_request_duration_seconds_count", `code="200",queue="whop-notify"`))
	require.Eventually(t, func() bool {
		return value(t, metrics, "whop_notify_notifications_total", `outcome="queued",queue="whop-notify"`) == 1 && value(t, metrics, "whop_notify_queue_sent_total", `queue="whop-notify"`) == 1
	}, patience, 50*time.Millisecond)
	_, all := look(t, metrics+"/metrics")
	for _, secret := range []string{relayKey, server.APIKey(), "Invoice 7", "biz_1"} {
		require.NotContains(t, all, secret)
	}
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
}

// watchedRelay is a relay that shows how it is.
func watchedRelay(t *testing.T, env []string, args ...string) (p *process, base, metrics string) {
	t.Helper()
	p, base = relay(t, env, append(args, metricsFlag...)...)
	var line string
	require.Eventually(t, func() bool {
		line = regexp.MustCompile(`(?m)^metrics on (\S+)/metrics$`).FindString(p.stderr.String())
		return line != ""
	}, patience, 10*time.Millisecond)
	return p, base, strings.TrimSuffix(strings.TrimPrefix(line, "metrics on "), "/metrics")
}

func TestMetricsAddr(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, test := range []struct {
		addr string
		code int
		says string
	}{
		{"127.0.0.1", 2, `--metrics-addr "127.0.0.1" is not HOST:PORT, as in 127.0.0.1:9464`},
		{"127.0.0.1:99999", 2, "--metrics-addr: listen tcp: address 99999: invalid port"},
		{taken.Addr().String(), 1, "Choose another address with --metrics-addr"},
	} {
		for _, command := range []string{"work --nats=nats://127.0.0.1:1", "relay --addr=127.0.0.1:0 --nats=nats://127.0.0.1:1", "relay --addr=127.0.0.1:0 --no-work --nats=nats://127.0.0.1:1"} {
			f := execute(t, []string{"WHOP_API_KEY=secret-key-of-whop"}, append(strings.Fields(command), "--metrics-addr="+test.addr)...)
			require.Equal(t, test.code, f.code, f.stderr)
			require.Contains(t, f.stderr, test.says, command)
		}
	}
}
