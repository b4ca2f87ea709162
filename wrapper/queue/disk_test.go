//go:build linux

package queue_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// smallDisk returns a directory on a disk of a few MiB. If none can be mounted, a limit on the
// size of files stands in for a full disk, see fillDisk; that limit is the whole process's, so
// the test runs alone.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if syscall.Mount("none", dir, "tmpfs", 0, "size=48m") == nil {
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		t.Parallel()
	}
	return dir
}

// fillDisk fills the disk, until the function that it returns is called.
func fillDisk(t *testing.T, dir string) (free func()) {
	t.Helper()
	var disk, parent syscall.Stat_t
	require.NoError(t, syscall.Stat(dir, &disk))
	require.NoError(t, syscall.Stat(filepath.Dir(dir), &parent))
	if disk.Dev == parent.Dev { // no disk of its own
		signal.Ignore(syscall.SIGXFSZ)
		var before syscall.Rlimit
		require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 64 << 10, Max: before.Max}))
		return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }
	}
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	require.NoError(t, err)
	for chunk := 1 << 20; chunk > 0; chunk /= 4 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, chunk))
		}
		require.True(t, errors.Is(err, syscall.ENOSPC), err)
	}
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

// A full disk stops an embedded queue. It continues by itself once there is room.
func TestAFullDiskStopsNothingForGood(t *testing.T) {
	dir := smallDisk(t)
	server := whoptest.NewServer(t)
	q := open(t, embedded(t, filepath.Join(dir, "queue")))
	work(t, q, newClient(t, server), 4)
	enqueue(t, q, numbered(0))
	eventually(t, q, queue.Stats{Sent: 1})

	free := fillDisk(t, dir)
	large := whop.Message{Title: "T", Content: strings.Repeat("x", 100_000)}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var err error
	for i := 0; err == nil && i < 200; i++ {
		_, err = q.Enqueue(ctx, whop.ToCompany("biz_1", large))
	}
	require.Error(t, err, "it is never said to be in the queue")
	require.Error(t, q.Check(t.Context()))
	time.Sleep(3 * time.Second)
	free()
	start := time.Now()
	require.True(t, waitFor(func() bool { _, err := q.Enqueue(t.Context(), numbered(1)); return err == nil }))
	require.True(t, waitFor(func() bool {
		for _, r := range server.Queued() {
			if r.IdempotencyKey == "invoice-1" {
				return true
			}
		}
		return false
	}), "the worker goes on")
	require.True(t, waitFor(func() bool { return q.Check(t.Context()) == nil }))
	t.Logf("it goes on %.1f s after there is room", time.Since(start).Seconds())
	keys := map[string]bool{}
	for _, r := range server.Queued() {
		require.False(t, keys[r.IdempotencyKey])
		keys[r.IdempotencyKey] = true
	}
}

// A server that creates a stream looks as if it had lost one, and one that has something else in
// that place always does. It does not restart for that at once, nor again and again.
func TestAServerThatLooksUnhealthy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	q := open(t, embedded(t, dir))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "jetstream", "$G", "streams", "being-created"), 0o700))
	restarts := func() uint64 { return embeddedConn(t, q).Stats().Reconnects }
	time.Sleep(5 * time.Second)
	require.Zero(t, restarts())
	require.True(t, waitFor(func() bool { return restarts() == 1 }))
	time.Sleep(13 * time.Second)
	require.EqualValues(t, 1, restarts())
	enqueue(t, q, paid)
}
