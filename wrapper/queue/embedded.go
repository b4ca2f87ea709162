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

// ErrInUse says that another process has opened the directory by [Embedded].
var ErrInUse = errors.New("queue: the directory is in use by another process")

// maxPayload is the largest message of an embedded server, in bytes.
const maxPayload = 8 << 20

// MaxEmbeddedBody is the largest body of a notification, in bytes, that can be enqueued on
// an embedded server: one to some 300,000 users. Other servers have their own limit
// (max_payload, by default 1 MiB), of which the queue leaves 16 KiB for headers.
const MaxEmbeddedBody = maxPayload - headroom

// Embedded starts a JetStream server inside this process, which listens on no port and
// keeps its store in dir, and connects to it. It syncs to the disk before it confirms
// anything. dir is created if it is not there, and is for one process at a time: an
// error that is [ErrInUse] says that there is one already. After the disk was full, it goes on
// by itself once there is room.
//
// The function that it returns closes connection, server and store. A process that is killed
// without it loses nothing.
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

// engine is an embedded server, which is started anew where its store fails.
type engine struct {
	dir      string
	stopped  chan struct{}
	watching sync.WaitGroup

	mu  sync.Mutex
	srv *server.Server
}

// InProcessConn connects to the server of now.
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
		MaxPending: 1 << 30, // for as many large ones as a worker takes; else it is cut off
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

// watch starts the server anew where it has stopped storing, as after a full disk, from
// which it does not recover by itself, and the directory can be written again. It asks twice,
// since a stream that is just being made counts as missing.
func (e *engine) watch() {
	for failed := 0; ; {
		select {
		case <-e.stopped:
			return
		case <-time.After(time.Second):
		}
		if health := e.srv.Healthz(&server.HealthzOptions{}); health.StatusCode == 0 || health.StatusCode == 200 {
			failed = 0
			continue
		}
		if failed++; failed < 2 || tryWrite(e.dir) != nil {
			continue
		}
		failed = 0
		e.halt()
		_ = e.start() // else again in a second
	}
}

// tryWrite fails if there is no room for a message in the directory, or no right to write.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, "room-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 256<<10))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}
