package main_test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// natsBinary builds the server, once for all tests that need one.
var natsBinary = sync.OnceValues(func() (string, error) {
	name := filepath.Join(filepath.Dir(binary), "nats-server")
	out, err := exec.Command("go", "build", "-o", name, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return name, err
})

// natsServer is one in a process of its own, with a file store, to be killed.
type natsServer struct {
	t       *testing.T
	port    string
	dir     string
	args    []string
	process *exec.Cmd
}

func startNATS(t *testing.T, args ...string) *natsServer {
	t.Helper()
	s := &natsServer{t: t, port: freePort(t), dir: t.TempDir(), args: args}
	s.start()
	t.Cleanup(s.kill)
	return s
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

func (s *natsServer) url() string { return "nats://127.0.0.1:" + s.port }

func (s *natsServer) start() {
	s.t.Helper()
	name, err := natsBinary()
	require.NoError(s.t, err)
	s.process = exec.Command(name, append([]string{"-js", "-sd", s.dir, "-a", "127.0.0.1", "-p", s.port}, s.args...)...)
	require.NoError(s.t, s.process.Start())
	require.Eventually(s.t, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, patience, 10*time.Millisecond)
}

func (s *natsServer) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// open opens the queue as a program would.
func (s *natsServer) open(opts ...queue.Option) *queue.Queue {
	s.t.Helper()
	nc, err := nats.Connect(s.url(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	require.NoError(s.t, err)
	s.t.Cleanup(nc.Close)
	var q *queue.Queue
	require.Eventually(s.t, func() bool { // JetStream comes a little later than the port
		q, err = queue.Open(s.t.Context(), nc, opts...)
		return err == nil
	}, patience, 10*time.Millisecond, "%v", err)
	return q
}

// settled waits until nothing waits and nothing is in flight.
func settled(t *testing.T, q *queue.Queue, within time.Duration) queue.Stats {
	t.Helper()
	var s queue.Stats
	var err error
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if s, err = q.Stats(t.Context()); err == nil && s.Waiting == 0 && s.Retrying == 0 && s.InFlight == 0 && s.Sent+s.Dead > 0 {
			return s
		}
	}
	require.FailNow(t, "the queue is not settled", "%+v %v", s, err)
	return s
}

func TestNATSFlags(t *testing.T) {
	t.Parallel()
	file := fileOf(t, 1)
	missing := filepath.Join(t.TempDir(), "missing")
	for name, c := range map[string]struct {
		env, args []string
		code      int
		says      string
	}{
		"none":                     {nil, []string{"enqueue", file}, 2, "no NATS server: give --nats URL, or set NATS_URL"},
		"none for work":            {[]string{"WHOP_API_KEY=secret"}, []string{"work"}, 2, "no NATS server"},
		"none for dead":            {nil, []string{"dead", "list"}, 2, "--state DIR or a NATS server is required"},
		"both":                     {nil, []string{"dead", "list", "--state", missing, "--nats", "nats://127.0.0.1:1"}, 2, "exclude each other"},
		"no state":                 {nil, []string{"dead", "list", "--state", missing}, 2, "is not the directory of a batch"},
		"no such command":          {nil, []string{"dead", "bury"}, 2, "no command given: list, show, retry or drop"},
		"no id":                    {nil, []string{"dead", "show"}, 2, "give the ID of one dead letter"},
		"no number":                {nil, []string{"dead", "drop", "first"}, 2, `"first" is not the ID of a dead letter`},
		"ids and all":              {nil, []string{"dead", "retry", "1", "--all"}, 2, "or --all"},
		"credentials in URL":       {nil, []string{"enqueue", file, "--nats", "nats://user:secret@127.0.0.1:1"}, 2, "--nats has credentials in it, which show in ps"},
		"out of reach":             {[]string{"NATS_URL=nats://127.0.0.1:1"}, []string{"enqueue", file}, 1, "the NATS server nats://127.0.0.1:1 cannot be reached"},
		"several out of reach":     {[]string{"NATS_URL=nats://u:secret@127.0.0.1:1, nats://u:sec@secret@127.0.0.1:2"}, []string{"enqueue", file}, 1, "the NATS server nats://127.0.0.1:1, nats://127.0.0.1:2 cannot be reached"},
		"no URL":                   {[]string{"NATS_URL=nats://u:secret@127.0.0.1:secret"}, []string{"enqueue", file}, 1, "the URL of the NATS server is not one: invalid port"},
		"list with credentials":    {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1,nats://u:secret@127.0.0.1:1"}, 2, "--nats has credentials in it"},
		"replicas of dead letters": {nil, []string{"dead", "list", "--replicas", "3", "--nats", "nats://127.0.0.1:1"}, 2, "unknown flag: --replicas"},
		"no replicas":              {nil, []string{"work", "--nats", "nats://127.0.0.1:1", "--replicas", "0"}, 2, "--replicas 0 is not between 1 and 5"},
		"replicas":                 {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1", "--replicas", "6"}, 2, "--replicas 6 is not between 1 and 5"},
		"drain timeout":            {[]string{"WHOP_API_KEY=secret"}, []string{"work", "--nats", "nats://127.0.0.1:1", "--drain-timeout", "-1s"}, 2, "--drain-timeout -1s is negative"},
		"concurrency":              {[]string{"WHOP_API_KEY=secret"}, []string{"work", "--nats", "nats://127.0.0.1:1", "--concurrency", "100000"}, 2, "--concurrency 100000 is over 1000"},
		"no credentials":           {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1", "--nats-creds", missing}, 1, missing},
		"no authority":             {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1", "--nats-ca", missing}, 1, missing},
		"no certificate":           {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1", "--nats-cert", missing, "--nats-key", missing}, 1, missing},
		"half a certificate":       {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1", "--nats-cert", missing}, 2, "--nats-cert and --nats-key go together"},
		"long run":                 {nil, []string{"enqueue", file, "--nats", "nats://127.0.0.1:1", "--run", strings.Repeat("r", 201)}, 2, "--run has 201 bytes"},
		"no file":                  {nil, []string{"enqueue", missing, "--nats", "nats://127.0.0.1:1"}, 2, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := execute(t, c.env, c.args...)
			require.Equal(t, c.code, f.code, f.stderr)
			require.Contains(t, f.stderr, c.says)
			require.NotContains(t, f.stderr, "secret")
			require.Empty(t, f.stdout)
		})
	}
}
