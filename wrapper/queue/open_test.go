package queue_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

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
