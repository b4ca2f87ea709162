package main_test

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// smallDisk mounts a file system of its own, which takes the rights of root.
func smallDisk(t *testing.T, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Logf("no disk of its own (%v): what needs one is not tested", err)
		return ""
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill takes all that is left on a disk.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	require.NoError(t, err)
	_, err = io.Copy(f, zeros{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A full disk is said, and waited for; when there is room, the batch goes on by itself.
func TestABatchWaitsForAFullDisk(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		full int // the request at which the disk is full
	}{
		{name: "at the first", full: 1},
		{name: "in between", full: 30},
		{name: "at the last", full: 200}, // only the end of the batch is left to write down
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			disk := smallDisk(t, "size=32m")
			if disk == "" {
				return
			}
			server := whoptest.NewServer(t)
			file, state := fileOf(t, 200), filepath.Join(disk, "state")
			sent, reached, filled := 0, make(chan struct{}), make(chan struct{})
			server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
				if sent++; sent == test.full {
					close(reached)
					<-filled
				}
				return whoptest.Serve()
			})
			p := start(t, environment(server), "batch", file, "--state", state, "--rate-limit", "6000", "--concurrency", "2")
			<-reached
			free := fill(t, disk)
			close(filled)
			p.await("the disk of the state directory " + state + " is full: waiting until there is room")
			free()
			p.await("there is room again: going on")
			f := p.finish()
			require.Zero(t, f.code, f.stderr)
			require.Contains(t, f.stdout, "Whop has taken 200 of 200 notifications")
			onceEach(t, server, 200)
		})
	}
}

// A batch that is told to end while it waits for room, ends.
func TestABatchEndsWhileItWaitsForAFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "size=32m")
	if disk == "" {
		return
	}
	server := whoptest.NewServer(t)
	state := filepath.Join(disk, "state")
	p := start(t, environment(server), "batch", fileOf(t, 201), "--state", state, "--rate-limit", "60")
	require.Eventually(t, func() bool { return len(server.Queued()) > 0 }, patience, time.Millisecond)
	fill(t, disk)
	p.await("is full")
	p.signal(syscall.SIGINT)
	f := p.finish()
	require.Equal(t, 1, f.code)
	require.Regexp(t, `interrupted, with [1-9]\d* notifications to go\n`, f.stderr)
	require.Regexp(t, `^interrupted: Whop has taken [1-9]\d* of 201 notifications`, f.stdout)
	pending, err := filepath.Glob(filepath.Join(state, ".*"))
	require.NoError(t, err)
	require.Empty(t, pending)
}

// What cannot be written is said at once, and leaves nothing behind.
func TestAStateDirectoryThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	full := smallDisk(t, "size=1m")
	readOnly := smallDisk(t, "size=1m")
	if full == "" || readOnly == "" {
		return
	}
	fill(t, full)
	require.NoError(t, syscall.Mount("", readOnly, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	plain := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	server := whoptest.NewServer(t)
	for _, test := range []struct {
		name, state, says string
	}{
		{name: "full", state: filepath.Join(full, "state"), says: "the disk of the state directory " + filepath.Join(full, "state") + " is full: no space left on device"},
		{name: "read-only", state: filepath.Join(readOnly, "state"), says: "cannot be used: read-only file system"},
		{name: "read-only, there", state: readOnly, says: "cannot be used: read-only file system"},
		{name: "a file", state: plain, says: "cannot be used: not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			begun := time.Now()
			f := execute(t, environment(server), "batch", fileOf(t, 3), "--state", test.state)
			require.Equal(t, 1, f.code)
			require.Contains(t, f.stderr, test.says)
			require.Less(t, time.Since(begun), 10*time.Second)
			require.Empty(t, server.Requests())
		})
	}
	require.Equal(t, []string{"filler"}, filesIn(t, full))
}

// A name that somebody else put into the directory leads nowhere.
func TestNoFileIsWrittenThroughASymlink(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 3)
	victim := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	require.NoError(t, os.Mkdir(file+".state", 0o700))
	for _, name := range []string{"batch.json.tmp", "input.ndjson.tmp", "batch.json.new", "input.ndjson", "ledger", "status.json"} {
		require.NoError(t, os.Symlink(victim, filepath.Join(file+".state", name)))
	}
	f := execute(t, environment(server), "batch", file)
	require.Zero(t, f.code, f.stderr)
	text, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}
