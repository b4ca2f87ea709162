package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
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
	t.Parallel()
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
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{"", file, filepath.Join(file, "below")} {
		_, _, err := queue.Embedded(dir)
		require.ErrorContains(t, err, "queue: the embedded server in "+dir)
	}
}

func TestWrongOptionsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := queue.Open(t.Context(), nil,
		queue.WithName("a b"), queue.WithReplicas(6), queue.WithDrainTimeout(-1), queue.WithClock(nil))
	for _, name := range []string{"WithName", "WithReplicas", "WithDrainTimeout", "WithClock", "connection is nil"} {
		require.ErrorContains(t, err, name)
	}
	_, err = queue.Open(t.Context(), nil, queue.WithName(""))
	require.ErrorContains(t, err, "WithName")
}

func TestQueuesOfDifferentNamesShareAServer(t *testing.T) {
	t.Parallel()
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

// Streams and consumers that somebody created or changed by hand must not lose notifications or
// stop the queue.
func TestOpenRefusesWhatIsSetUpOtherwise(t *testing.T) {
	t.Parallel()
	type change func(*testing.T, jetstream.JetStream)
	stream := func(name string, f func(*jetstream.StreamConfig)) change {
		return func(t *testing.T, js jetstream.JetStream) {
			s, err := js.Stream(t.Context(), name)
			require.NoError(t, err)
			config := s.CachedInfo().Config
			f(&config)
			require.NoError(t, js.DeleteStream(t.Context(), name))
			_, err = js.CreateStream(t.Context(), config)
			require.NoError(t, err)
		}
	}
	line := func(f func(*jetstream.StreamConfig)) change { return stream("whop-notify", f) }
	workers := func(f func(*jetstream.ConsumerConfig)) change {
		return func(t *testing.T, js jetstream.JetStream) {
			c, err := js.Consumer(t.Context(), "whop-notify", "workers")
			require.NoError(t, err)
			config := c.CachedInfo().Config
			f(&config)
			require.NoError(t, js.DeleteConsumer(t.Context(), "whop-notify", "workers"))
			_, err = js.CreateConsumer(t.Context(), "whop-notify", config)
			require.NoError(t, err)
		}
	}
	for name, c := range map[string]struct {
		change change
		says   string
	}{
		"stream/old_ones_expire":      {line(func(s *jetstream.StreamConfig) { s.MaxAge = 48 * time.Hour }), "max_age is 48h0m0s, and must be 0s"},
		"stream/old_ones_make_room":   {line(func(s *jetstream.StreamConfig) { s.MaxMsgs, s.Discard = 10, jetstream.DiscardOld }), "discard is DiscardOld, and must be DiscardNew"},
		"stream/one_of_each_subject":  {line(func(s *jetstream.StreamConfig) { s.MaxMsgsPerSubject = 1 }), "max_msgs_per_subject is 1"},
		"stream/keys_forgotten_soon":  {line(func(s *jetstream.StreamConfig) { s.Duplicates = time.Minute }), "duplicate_window is 1m0s, and must be 24h0m0s"},
		"stream/in_memory":            {line(func(s *jetstream.StreamConfig) { s.Storage = jetstream.MemoryStorage }), "storage is Memory, and must be File"},
		"stream/direct_gets":          {line(func(s *jetstream.StreamConfig) { s.AllowDirect = true }), "allow_direct is true"},
		"stream/a_work_queue":         {line(func(s *jetstream.StreamConfig) { s.Retention = jetstream.WorkQueuePolicy }), "retention is WorkQueue, and must be Limits"},
		"stream/not_confirming":       {line(func(s *jetstream.StreamConfig) { s.NoAck = true }), "no_ack is true"},
		"stream/small_ones_only":      {line(func(s *jetstream.StreamConfig) { s.MaxMsgSize = 100 }), "max_msg_size is 100"},
		"stream/half_of_the_subjects": {line(func(s *jetstream.StreamConfig) { s.Subjects = []string{"whop-notify.send.plain"} }), "subjects is [whop-notify.send.plain]"},
		"stream/sealed":               {line(func(s *jetstream.StreamConfig) { s.DenyPurge = true }), "deny_purge is true"},
		"stream/subjects_renamed": {line(func(s *jetstream.StreamConfig) {
			s.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "whop-notify.send.>", Destination: "other.>"}
		}), "subject_transform is"},
		"stream/fed_by_another":         {line(func(s *jetstream.StreamConfig) { s.Sources = []*jetstream.StreamSource{{Name: "whop-notify-dead"}} }), "sources is"},
		"retries/without_schedules":     {stream("whop-notify-retry", func(s *jetstream.StreamConfig) { s.AllowMsgSchedules = false }), "need NATS server 2.12 or later"},
		"retries/limited":               {stream("whop-notify-retry", func(s *jetstream.StreamConfig) { s.MaxBytes = 1 << 20 }), "max_bytes is 1048576"},
		"attempts/not_to_be_deleted":    {stream("whop-notify-attempts", func(s *jetstream.StreamConfig) { s.DenyDelete = true }), "deny_delete is true"},
		"gone/forgotten_soon":           {stream("whop-notify-gone", func(s *jetstream.StreamConfig) { s.MaxAge = 24 * time.Hour }), "max_age is 24h0m0s, and must be 25h0m0s"},
		"dead/elsewhere":                {stream("whop-notify-dead", func(s *jetstream.StreamConfig) { s.Subjects = []string{"elsewhere"} }), "subjects is [elsewhere]"},
		"consumer/deliveries_limited":   {workers(func(c *jetstream.ConsumerConfig) { c.MaxDeliver = 3 }), "max_deliver is 3"},
		"consumer/headers_only":         {workers(func(c *jetstream.ConsumerConfig) { c.HeadersOnly = true }), "headers_only is true"},
		"consumer/from_now_on":          {workers(func(c *jetstream.ConsumerConfig) { c.DeliverPolicy = jetstream.DeliverNewPolicy }), "deliver_policy is new, and must be all"},
		"consumer/one_subject":          {workers(func(c *jetstream.ConsumerConfig) { c.FilterSubject = "whop-notify.send.plain" }), "filter_subject is whop-notify.send.plain"},
		"consumer/no_acknowledgement":   {workers(func(c *jetstream.ConsumerConfig) { c.AckPolicy = jetstream.AckNonePolicy }), "ack_policy is"},
		"consumer/given_out_again_soon": {workers(func(c *jetstream.ConsumerConfig) { c.AckWait = time.Second }), "ack_wait is 1s, and must be 10s"},
		"consumer/given_out_again_late": {workers(func(c *jetstream.ConsumerConfig) { c.BackOff = []time.Duration{time.Hour} }), "backoff is [1h0m0s]"},
		"consumer/goes_when_unused":     {workers(func(c *jetstream.ConsumerConfig) { c.InactiveThreshold = time.Minute }), "inactive_threshold is 1m0s"},
		"consumer/in_memory":            {workers(func(c *jetstream.ConsumerConfig) { c.MemoryStorage = true }), "mem_storage is true"},
		"bucket/forgets": {func(t *testing.T, js jetstream.JetStream) {
			require.NoError(t, js.DeleteKeyValue(t.Context(), "whop-notify-limits"))
			_, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "whop-notify-limits", TTL: time.Second})
			require.NoError(t, err)
		}, "max_age is 1s, and must be 0s"},
		"bucket/read_from_any_server": {stream("KV_whop-notify-limits", func(s *jetstream.StreamConfig) { s.AllowDirect = true }), "allow_direct is true, and must be false"},
		"another_has_the_subjects": {func(t *testing.T, js jetstream.JetStream) {
			require.NoError(t, js.DeleteStream(t.Context(), "whop-notify"))
			_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "other", Subjects: []string{"whop-notify.send.plain"}})
			require.NoError(t, err)
		}, "give the queue another name, or remove that stream"},
	} {
		t.Run(name, func(t *testing.T) {
			nc := embedded(t, t.TempDir())
			c.change(t, streams(t, open(t, nc)))
			_, err := queue.Open(t.Context(), nc)
			require.ErrorContains(t, err, c.says)
		})
	}
}

// Open accepts settings that an operator may choose freely, or has changed for a while.
func TestOpenTakesWhatDoesNoHarm(t *testing.T) {
	t.Parallel()
	nc := embedded(t, t.TempDir())
	js := streams(t, open(t, nc))
	s, err := js.Stream(t.Context(), "whop-notify")
	require.NoError(t, err)
	config := s.CachedInfo().Config
	config.Description, config.MaxMsgs, config.Duplicates, config.Metadata = "ours", 1_000_000, 48*time.Hour, map[string]string{"team": "billing"}
	_, err = js.UpdateStream(t.Context(), config)
	require.NoError(t, err)
	_, err = js.PauseConsumer(t.Context(), "whop-notify", "workers", time.Now().Add(time.Hour))
	require.NoError(t, err)
	var log book
	open(t, nc, queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	require.Contains(t, log.String(), "nats consumer resume whop-notify workers")
}

// A healthy queue logs no warnings.
func TestAnEmptyQueueWarnsOfNothing(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	var log book
	q := newQueue(t, queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	stop := work(t, q, newClient(t, server), 1)
	enqueue(t, q, paid)
	eventually(t, q, queue.Stats{Sent: 1})
	require.NoError(t, stop())
	require.Empty(t, log.String())
}

func TestWorkRefusesAClientThatItCannotServe(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	q := newQueue(t)
	require.ErrorContains(t, q.Work(t.Context(), nil, 1), "client is nil")
	careful := newClient(t, server, whop.WithRetryPolicy(whop.RetryPolicy{AtMostOnce: true}))
	require.ErrorContains(t, q.Work(t.Context(), careful, 1), "AtMostOnce")
}

func TestWorkEndsWhereTheQueueIsGone(t *testing.T) {
	t.Parallel()
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

// Open says what is wrong with a server, and how to fix it.
func TestOpenNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
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

// An error names a permission that was withdrawn after Open. The server does not answer a denied
// request.
func TestWhatIsMissedLaterNamesTheRight(t *testing.T) {
	t.Parallel()
	without := func(t *testing.T, subject string, opts ...queue.Option) *queue.Queue {
		t.Parallel()
		s := listening(t, func(o *server.Options) {
			o.Users = []*server.User{{Username: "u", Password: "p", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{subject}}}}}
		})
		nc, err := nats.Connect(s.ClientURL(), nats.UserInfo("u", "p"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return open(t, nc, opts...)
	}
	t.Run("to_enqueue", func(t *testing.T) {
		q := without(t, "whop-notify.send.>")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := q.Enqueue(ctx, paid)
		require.ErrorContains(t, err, "lacks a right: allow it to publish to")
		require.ErrorContains(t, err, "whop-notify.send.plain")
	})
	t.Run("for_something_else", func(t *testing.T) {
		q := without(t, "elsewhere")
		nc := embeddedConn(t, q)
		require.NoError(t, nc.Publish("elsewhere", nil))
		require.True(t, waitFor(func() bool { return errors.Is(nc.LastError(), nats.ErrPermissionViolation) }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
		defer cancel()
		_, err := q.Stats(ctx)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "lacks a right")
	})
	t.Run("to_take", func(t *testing.T) {
		server := whoptest.NewServer(t)
		var log book
		q := without(t, "$JS.API.CONSUMER.MSG.NEXT.>", queue.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		work(t, q, newClient(t, server), 1)
		require.True(t, waitFor(func() bool { return strings.Contains(log.String(), "lacks a right: allow it to publish to") }), &log)
	})
}

// A server that has lost its JetStream is another thing than one that never had it.
func TestJetStreamThatIsTurnedOff(t *testing.T) {
	t.Parallel()
	s := listening(t, nil)
	q := open(t, connect(t, s.ClientURL()))
	port := s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	listening(t, func(o *server.Options) { o.Port, o.JetStream = port, false })
	require.True(t, waitFor(func() bool {
		_, err := q.Stats(t.Context())
		return strings.Contains(fmt.Sprint(err), "no JetStream answers: its servers start, stop or lack a leader, or it was turned off")
	}), "once it is connected again")
}

func TestOpenNamesAServerThatIsAway(t *testing.T) {
	t.Parallel()
	nc := connect(t, "nats://127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := queue.Open(ctx, nc)
	require.ErrorContains(t, err, "no connection to the NATS server (nats://127.0.0.1:1)")
}

// Streams keep their number of replicas, and the log says how to change it.
func TestReplicasThatDifferAreLogged(t *testing.T) {
	t.Parallel()
	nc := embedded(t, t.TempDir())
	open(t, nc, queue.WithReplicas(1))
	var log book
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
