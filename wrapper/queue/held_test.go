package queue_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// slowly is a dialer whose connections pass the writes that have a text to a function, with how
// many came before.
type slowly struct {
	text   string
	write  func(c net.Conn, p []byte, before int) (int, error)
	writes atomic.Int32
}

func (s *slowly) Dial(network, address string) (net.Conn, error) {
	c, err := net.Dial(network, address)
	return slowConn{c, s}, err
}

type slowConn struct {
	net.Conn
	slowly *slowly
}

func (c slowConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(c.slowly.text)) {
		return c.slowly.write(c.Conn, p, int(c.slowly.writes.Add(1)-1))
	}
	return c.Conn.Write(p)
}

func (s *slowly) connect(t *testing.T, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.SetCustomDialer(s), nats.MaxReconnects(-1))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// A cancellation that comes too late is none, whatever it saw before.
func TestACancelThatIsSlowerThanTheAttempt(t *testing.T) {
	t.Parallel()
	stub, s := whoptest.NewServer(t), listening(t, nil)
	arrived, proceed := make(chan struct{}), make(chan struct{})
	slow := open(t, (&slowly{text: "whop-notify.begun.1.0", write: func(c net.Conn, p []byte, before int) (int, error) {
		if before == 0 {
			close(arrived)
			<-proceed
		}
		return c.Write(p)
	}}).connect(t, s.ClientURL()))
	q := open(t, connect(t, s.ClientURL()))
	enqueue(t, q, numbered(1))
	canceled := make(chan error)
	go func() { canceled <- slow.Cancel(t.Context(), "invoice-1") }()
	<-arrived
	work(t, q, newClient(t, stub), 1)
	attempts, err := streams(t, q).Stream(t.Context(), "whop-notify-attempts")
	require.NoError(t, err)
	require.True(t, waitFor(func() bool {
		info, err := attempts.Info(t.Context())
		return err == nil && len(stub.Queued()) == 1 && info.State.Msgs == 0
	}), "the record of its attempt is gone")
	close(proceed)
	require.ErrorIs(t, <-canceled, queue.ErrUnderWay)
	found, err := q.Find(t.Context(), "invoice-1")
	require.NoError(t, err)
	require.Equal(t, queue.Sent, found.State)
	require.Equal(t, queue.Stats{Sent: 1}, counts(t, q))
}

// A request that arrives after its time-out, just before the second one for the same position, is
// this call's own.
func TestAPositionThatArrivesLate(t *testing.T) {
	t.Parallel()
	s := listening(t, nil)
	var late []byte
	q := open(t, (&slowly{text: "HPUB whop-notify.send.numbered", write: func(c net.Conn, p []byte, before int) (int, error) {
		if before == 0 {
			late = bytes.Clone(p)
			return len(p), nil
		}
		n, err := c.Write(append(late, p...))
		return max(0, n-len(late)), err
	}}).connect(t, s.ClientURL()))
	ticket, err := q.EnqueueAt(t.Context(), numbered(1), 1)
	require.NoError(t, err)
	require.Equal(t, queue.Ticket{IdempotencyKey: "invoice-1"}, ticket)
	eventually(t, q, queue.Stats{Waiting: 1})
}

// What was not attempted is not in doubt, also where NATS did not answer when the worker said so.
func TestALostWordThatNothingWasAttempted(t *testing.T) {
	t.Parallel()
	stub, s := whoptest.NewServer(t), listening(t, nil)
	stub.Script(whoptest.Error(422, "", "No."))
	q := open(t, (&slowly{text: "$JS.API.STREAM.MSG.DELETE.whop-notify-attempts", write: func(c net.Conn, p []byte, before int) (int, error) {
		if before == 0 {
			return len(p), nil
		}
		return c.Write(p)
	}}).connect(t, s.ClientURL()))
	enqueue(t, q, numbered(1))
	work(t, q, newClient(t, stub, whop.WithLimiter(&failingOnce{})), 1)
	eventually(t, q, queue.Stats{Dead: 1})
	require.Equal(t, whop.Rejected, graveyard(t, q)[0].Outcome)
}

// failingOnce is a limiter that fails the first time.
type failingOnce struct{ failed atomic.Bool }

func (f *failingOnce) Wait(context.Context) error {
	if f.failed.Swap(true) {
		return nil
	}
	return errors.New("out of order")
}
