package queue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ErrInUse is a directory that another process has opened by [Embedded].
var ErrInUse = errors.New("queue: the directory is in use by another process")

// maxPayload is the largest message of an embedded server, in bytes.
const maxPayload = 8 << 20

// MaxEmbeddedBody is the largest body of a notification, in bytes, that can be enqueued on
// an embedded server: one to some 300,000 users. Other servers have their own limit
// (max_payload, by default 1 MiB), of which the queue leaves 16 KiB for dead letters.
const MaxEmbeddedBody = maxPayload - headroom

// Embedded starts a JetStream server inside this process, which listens on no port and
// keeps its store in dir, and connects to it. A queue on it syncs to the disk before it
// confirms anything. dir is made if it is not there, and is for one process at a time: an
// error that is [ErrInUse] says that there is one already.
//
// The function that it gives closes connection, server and store. A process that is killed
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
	srv, err := server.NewServer(&server.Options{
		ServerName: "whop-notify",
		DontListen: true,
		JetStream:  true,
		StoreDir:   dir,
		MaxPayload: maxPayload,
		MaxPending: 1 << 30, // for as many large ones as a worker fetches; else it is cut off
		NoLog:      true,
		NoSigs:     true,
	})
	if err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	shutDown := func() error {
		srv.Shutdown()
		srv.WaitForShutdown()
		return lock.Unlock()
	}
	srv.Start()
	if !srv.ReadyForConnections(30 * time.Second) {
		return nil, nil, errors.Join(errors.New("it did not start within 30 s"), shutDown())
	}
	if nc, err = nats.Connect("", nats.InProcessServer(&disk{Server: srv, dir: dir, synced: map[string]int64{}}), nats.Name("whop-notify")); err != nil {
		return nil, nil, errors.Join(err, shutDown())
	}
	if !srv.JetStreamEnabled() {
		nc.Close()
		return nil, nil, errors.Join(errors.New("its store could not be opened"), shutDown())
	}
	return nc, func() error {
		nc.Close()
		return shutDown()
	}, nil
}
