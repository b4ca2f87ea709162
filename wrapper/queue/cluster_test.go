package queue_test

import (
	"fmt"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// clusterOptions returns the options of server i of three, which listen on the ports.
func clusterOptions(i int, dir string, client, route []int) *server.Options {
	routes := make([]*url.URL, len(route))
	for j, port := range route {
		routes[j] = &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	}
	return &server.Options{
		ServerName: fmt.Sprintf("s%d", i),
		Host:       "127.0.0.1", Port: client[i],
		Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: route[i]},
		Routes:  routes, JetStream: true, StoreDir: dir, SyncAlways: true, NoLog: true, NoSigs: true,
	}
}

// freePorts returns ports that were free a moment ago.
func freePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// startCluster starts three servers in this process.
func startCluster(t testing.TB) (servers []*server.Server, urls string) {
	t.Helper()
	client, route := freePorts(t, 3), freePorts(t, 3)
	for i := range 3 {
		s, err := server.NewServer(clusterOptions(i, t.TempDir(), client, route))
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		servers = append(servers, s)
	}
	for i := range 3 {
		require.True(t, servers[i].ReadyForConnections(patience))
		urls += fmt.Sprintf("nats://127.0.0.1:%d,", client[i])
	}
	return servers, urls[:len(urls)-1]
}

func connect(t testing.TB, urls string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(urls, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// The workers get every notification: those in the queue before they came, and those that come
// after.
func TestAReplicatedQueueSendsItsBacklog(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	_, urls := startCluster(t)
	q := open(t, connect(t, urls), queue.WithReplicas(3)) // waits for the cluster
	const n = 300
	for i := range n {
		enqueue(t, q, numbered(i))
	}
	work(t, q, newClient(t, server), 16)
	work(t, open(t, connect(t, urls)), newClient(t, server), 16)
	eventually(t, q, queue.Stats{Sent: n})
	require.Len(t, server.Requests(), n)
}

// Looking for an unknown key must not make the cluster remember it.
func TestKeysAreFoundInACluster(t *testing.T) {
	t.Parallel()
	_, urls := startCluster(t)
	q := open(t, connect(t, urls), queue.WithReplicas(3))
	for range 2 {
		_, err := q.Find(t.Context(), "invoice-1")
		require.ErrorIs(t, err, queue.ErrUnknownKey)
	}
	require.False(t, enqueue(t, q, numbered(1)).Duplicate)
	found, err := q.Find(t.Context(), "invoice-1")
	require.NoError(t, err)
	require.Equal(t, queue.Waiting, found.State)
	require.True(t, enqueue(t, q, numbered(1)).Duplicate)
	require.NoError(t, q.Cancel(t.Context(), "invoice-1"))
	found, err = q.Find(t.Context(), "invoice-1")
	require.NoError(t, err)
	require.Equal(t, queue.Canceled, found.State)
	eventually(t, q, queue.Stats{})
}
