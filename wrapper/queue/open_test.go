package queue_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestADirectoryIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	_, stop, err := queue.Embedded(dir)
	require.NoError(t, err)
	_, _, err = queue.Embedded(dir)
	require.ErrorIs(t, err, queue.ErrInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, stop())
	embedded(t, dir)
}

func TestADirectoryThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		_, _, err := queue.Embedded(dir)
		require.ErrorContains(t, err, "queue: the embedded server in "+dir)
	}
}

func TestWrongOptionsAreNamedAllAtOnce(t *testing.T) {
	_, err := queue.Open(t.Context(), nil,
		queue.WithName("a b"), queue.WithReplicas(6), queue.WithDrainTimeout(-1), queue.WithClock(nil))
	for _, name := range []string{"WithName", "WithReplicas", "WithDrainTimeout", "WithClock", "connection is nil"} {
		require.ErrorContains(t, err, name)
	}
	_, err = queue.Open(t.Context(), nil, queue.WithName(""))
	require.ErrorContains(t, err, "WithName")
}

func TestQueuesOfDifferentNamesShareAServer(t *testing.T) {
	server := whoptest.NewServer(t)
	nc := embedded(t, t.TempDir())
	one, other := open(t, nc, queue.WithName("one")), open(t, nc, queue.WithName("other"))
	require.Equal(t, "one", one.Name())
	enqueue(t, one, numbered(1))
	require.False(t, enqueue(t, other, numbered(1)).Duplicate)
	work(t, one, newClient(t, server), 1)
	eventually(t, one, queue.Stats{Sent: 1})
	eventually(t, other, queue.Stats{Waiting: 1})
}

// Streams that somebody made or changed by hand must not lose anything.
func TestStreamsThatCouldLoseNotificationsAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*jetstream.StreamConfig)
		says   string
	}{
		"old ones expire":     {func(s *jetstream.StreamConfig) { s.MaxAge = 48 * time.Hour }, "drops old notifications"},
		"old ones make room":  {func(s *jetstream.StreamConfig) { s.MaxMsgs = 10; s.Discard = jetstream.DiscardOld }, "drops old notifications"},
		"keys forgotten soon": {func(s *jetstream.StreamConfig) { s.Duplicates = time.Minute }, "has a duplicate window of 1m0s, and needs at least 24h0m0s"},
		"in memory":           {func(s *jetstream.StreamConfig) { s.Storage = jetstream.MemoryStorage }, "in memory"},
		"direct gets":         {func(s *jetstream.StreamConfig) { s.AllowDirect = true }, "allows direct gets"},
		"a work queue":        {func(s *jetstream.StreamConfig) { s.Retention = jetstream.WorkQueuePolicy }, "retention"},
	} {
		t.Run(name, func(t *testing.T) {
			nc := embedded(t, t.TempDir())
			js, err := jetstream.New(nc)
			require.NoError(t, err)
			config := jetstream.StreamConfig{Name: "whop-notify", Subjects: []string{"whop-notify.send.>"}, Duplicates: 24 * time.Hour}
			c.change(&config)
			_, err = js.CreateStream(t.Context(), config)
			require.NoError(t, err)
			_, err = queue.Open(t.Context(), nc)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestAConsumerThatLeavesNotificationsOutIsRefused(t *testing.T) {
	nc := embedded(t, t.TempDir())
	open(t, nc)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	require.NoError(t, js.DeleteConsumer(t.Context(), "whop-notify", "workers"))
	_, err = js.CreateConsumer(t.Context(), "whop-notify", jetstream.ConsumerConfig{Durable: "workers", MaxDeliver: 3, AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	_, err = queue.Open(t.Context(), nc)
	require.ErrorContains(t, err, "no limit on deliveries")
}

func TestWorkRefusesAClientThatItCannotServe(t *testing.T) {
	server := whoptest.NewServer(t)
	q := newQueue(t)
	require.ErrorContains(t, q.Work(t.Context(), nil, 1), "client is nil")
	careful := newClient(t, server, whop.WithRetryPolicy(whop.RetryPolicy{AtMostOnce: true}))
	require.ErrorContains(t, q.Work(t.Context(), careful, 1), "AtMostOnce")
}

func TestWorkEndsWhereTheQueueIsGone(t *testing.T) {
	server := whoptest.NewServer(t)
	nc, stop, err := queue.Embedded(t.TempDir())
	require.NoError(t, err)
	q := open(t, nc)
	ended := make(chan error)
	go func() { ended <- q.Work(context.Background(), newClient(t, server), 1) }()
	require.NoError(t, stop())
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "queue: the worker stopped")
	case <-time.After(patience):
		require.Fail(t, "Work goes on without a connection")
	}
}

// Open says what is wrong with a server, and how to mend it.
func TestOpenNamesWhatIsWrong(t *testing.T) {
	account := func(permissions *server.Permissions, jetStream bool) func(*server.Options) {
		return func(o *server.Options) {
			a := server.NewAccount("A")
			if jetStream {
				o.Accounts = nil
				o.Users = []*server.User{{Username: "u", Password: "p", Permissions: permissions}}
				return
			}
			o.Accounts = []*server.Account{a}
			o.Users = []*server.User{{Username: "u", Password: "p", Account: a}}
		}
	}
	for name, c := range map[string]struct {
		change func(*server.Options)
		opts   []queue.Option
		says   string
	}{
		"no JetStream":                {func(o *server.Options) { o.JetStream = false }, nil, "start it with -js"},
		"no JetStream in the account": {account(nil, false), nil, "account of this user has no JetStream"},
		"no rights":                   {account(&server.Permissions{Publish: &server.SubjectPermission{Allow: []string{"nothing"}}}, true), nil, "allow it to publish to $JS.API.>"},
		"no room for a notification":  {func(o *server.Options) { o.MaxPayload = 8192 }, nil, "max_payload of the NATS server is 8192 bytes, too small"},
		"replicas without a cluster":  {nil, []queue.Option{queue.WithReplicas(3)}, "3 replicas need a cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listening(t, c.change)
			nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("u", "p"))
			require.NoError(t, err)
			t.Cleanup(nc.Close)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			_, err = queue.Open(ctx, nc, c.opts...)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestOpenNamesAServerThatIsAway(t *testing.T) {
	t.Parallel()
	nc := connect(t, "nats://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := queue.Open(ctx, nc)
	require.ErrorContains(t, err, "no connection to the NATS server (nats://127.0.0.1:1)")
}

// Streams keep the replicas that they have, and the log says how to change that.
func TestReplicasThatDifferAreLogged(t *testing.T) {
	t.Parallel()
	nc := embedded(t, t.TempDir())
	open(t, nc, queue.WithReplicas(1))
	var log bytes.Buffer
	open(t, nc, queue.WithReplicas(3), queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.Contains(t, log.String(), "nats stream update whop-notify --replicas 3")
}

// Without half of its servers a cluster cannot store: Open waits for them.
func TestOpenWaitsForAQuorum(t *testing.T) {
	t.Parallel()
	client, route := freePorts(t, 3), freePorts(t, 3)
	startOne := func(i int) {
		s, err := server.NewServer(clusterOptions(i, t.TempDir(), client, route))
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	}
	startOne(0)
	nc := connect(t, fmt.Sprintf("nats://127.0.0.1:%d", client[0]))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := queue.Open(ctx, nc, queue.WithReplicas(3))
	require.ErrorContains(t, err, "a cluster needs more than half of its servers")
	time.AfterFunc(time.Second, func() { startOne(1); startOne(2) })
	open(t, nc, queue.WithReplicas(3))
}
