package queue

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ErrInUse says that another process has opened the directory with [Embedded].
var ErrInUse = errors.New("queue: the directory is in use by another process")

// maxPayload is the largest message of an embedded server, in bytes.
const maxPayload = 8 << 20

// MaxEmbeddedBody is the largest body of a notification, in bytes, that an embedded server
// accepts: enough for about 300,000 users. Other servers have their own limit (max_payload, by
// default 1 MiB), of which the queue reserves 16 KiB for headers.
const MaxEmbeddedBody = maxPayload - headroom

// Embedded starts a JetStream server inside this process, and connects to it. The server
// listens on no port, and keeps its store in dir. It syncs to disk before it confirms
// anything. Embedded creates dir if it is missing. Only one process at a time may use dir:
// for a second one Embedded returns [ErrInUse]. If the disk fills up, the server continues by
// itself once there is room.
//
// The returned function closes connection, server and store. A process that is killed without
// calling it loses nothing.
func Embedded(dir string) (*nats.Conn, func() error, error) {
	nc, stop, err := startEmbedded(dir)
	if err != nil && !errors.Is(err, ErrInUse) {
		err = fmt.Errorf("queue: the embedded server in %s: %w", dir, err)
	}
	return nc, stop, err
}

func startEmbedded(dir string) (nc *nats.Conn, stop func() error, err error) {
	if dir == "" {
		return nil, nil, errors.New("no directory given")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, nil, err
	}
	if !locked {
		return nil, nil, fmt.Errorf("%w: %s", ErrInUse, dir)
	}
	e := &engine{dir: dir, stopped: make(chan struct{})}
	err = tryWrite(dir)
	if err == nil {
		err = e.start()
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	nc, err = nats.Connect("", nats.InProcessServer(e), nats.Name("whop-notify"),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond))
	if err != nil {
		e.halt()
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	e.watching.Go(e.watch)
	return nc, func() error {
		close(e.stopped)
		e.watching.Wait()
		nc.Close()
		e.halt()
		return lock.Unlock()
	}, nil
}

// engine is an embedded server. It restarts when its store fails.
type engine struct {
	dir      string
	stopped  chan struct{}
	watching sync.WaitGroup

	mu  sync.Mutex
	srv *server.Server
}

// InProcessConn connects to the current server.
func (e *engine) InProcessConn() (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.srv.InProcessConn()
}

func (e *engine) start() error {
	srv, err := server.NewServer(&server.Options{
		ServerName: "whop-notify",
		DontListen: true,
		JetStream:  true,
		StoreDir:   e.dir,
		SyncAlways: true,
		MaxPayload: maxPayload,
		MaxPending: 1 << 30, // room for a worker's large messages; less would cut it off
		NoLog:      true,
		NoSigs:     true,
	})
	if err != nil {
		return err
	}
	srv.Start()
	switch {
	case !srv.ReadyForConnections(30 * time.Second):
		err = errors.New("it did not start within 30 s")
	case !srv.JetStreamEnabled():
		err = errors.New("its store could not be opened")
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv = srv
	return nil
}

func (e *engine) halt() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv.Shutdown()
	e.srv.WaitForShutdown()
}

// An embedded server that is unhealthy for so long restarts. After each restart that does not
// help, the next waits twice as long.
const minUnhealthy, maxUnhealthy = 10 * time.Second, 10 * time.Minute

// watch restarts the server when it has stopped storing and the directory is writable again.
// NATS does not recover from a full disk by itself. But a server is also unhealthy while it
// creates a stream, which on a slow disk takes a while, and for as long as the directory has
// something in the place of a stream.
func (e *engine) watch() {
	from, wait := time.Now(), minUnhealthy // from when the server was last healthy, or started
	for {
		select {
		case <-e.stopped:
			return
		case <-time.After(time.Second):
		}
		if health := e.srv.Healthz(&server.HealthzOptions{}); health.StatusCode == 0 || health.StatusCode == 200 {
			from, wait = time.Now(), minUnhealthy
			continue
		}
		if time.Since(from) < wait || tryWrite(e.dir) != nil {
			continue
		}
		e.halt()
		if e.start() == nil { // else again in a second
			from, wait = time.Now(), min(2*wait, maxUnhealthy)
		}
	}
}

// tryWrite returns an error if the directory has no room for a message, or is not writable.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, "room-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 256<<10))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}
