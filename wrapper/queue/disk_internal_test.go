package queue

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// What is confirmed is on the disk: a power failure cannot be had in a test, but what was
// synced can be compared with what was written.
func TestWhatIsConfirmedWasSynced(t *testing.T) {
	dir := t.TempDir()
	nc, stop, err := Embedded(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, stop()) }()
	q, err := Open(t.Context(), nc)
	require.NoError(t, err)
	d := nc.Opts.InProcessServer.(*disk)
	n := whop.ToCompany("biz_1", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})
	for range 20 {
		_, err := q.Enqueue(t.Context(), n)
		require.NoError(t, err)
		require.NoError(t, q.attempts.reach(t.Context(), q.attempts.reached+1))
		blocks := 0
		require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			require.NoError(t, err)
			if strings.HasSuffix(path, ".blk") {
				info, err := entry.Info()
				require.NoError(t, err)
				require.Equal(t, info.Size(), d.synced[path], path)
				blocks++
			}
			return nil
		}))
		require.GreaterOrEqual(t, blocks, 2)
	}
}

// If the server ever kept its messages elsewhere, it must show.
func TestASyncThatFindsNothingFails(t *testing.T) {
	d := &disk{dir: t.TempDir(), synced: map[string]int64{}}
	require.ErrorContains(t, d.sync(t.Context()), "no message blocks")
	d.dir = filepath.Join(d.dir, "gone")
	require.ErrorContains(t, d.sync(t.Context()), "no message blocks")
}

// What EnqueueAt enqueued without waiting for the disk is there before it is attempted.
func TestNoPositionIsAttemptedThatAPowerFailureCouldTakeBack(t *testing.T) {
	dir := t.TempDir()
	nc, stop, err := Embedded(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, stop()) }()
	q, err := Open(t.Context(), nc)
	require.NoError(t, err)
	d := nc.Opts.InProcessServer.(*disk)
	main := filepath.Join("streams", "whop-notify", "msgs")
	attempts := make(chan struct{})
	client, err := whop.NewClient(whop.WithAPIKey("test"), whop.WithLimiter(nil), whop.WithHTTPClient(&http.Client{
		Transport: transport(func(r *http.Request) (*http.Response, error) {
			d.running.Lock()
			defer d.running.Unlock()
			for path, size := range d.synced {
				if info, err := os.Stat(path); err != nil || strings.Contains(path, main) && info.Size() != size {
					t.Errorf("%s: %d bytes are on the disk of %v", path, size, info)
				}
			}
			attempts <- struct{}{}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"success":true}`)), Request: r}, nil
		}),
	}))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- q.Work(ctx, client, 1) }()
	for i := range 20 {
		_, err := q.EnqueueAt(t.Context(), whop.ToCompany("biz_1", whop.Message{Title: "T", Content: "C"}), uint64(i+1))
		require.NoError(t, err)
		<-attempts
	}
	cancel()
	require.NoError(t, <-ended)
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The log of attempts forgets after a month; what a worker relies on must be younger.
func TestTheLogOfAttemptsIsRenewed(t *testing.T) {
	nc, stop, err := Embedded(t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, stop()) }()
	now := time.Now()
	q, err := Open(t.Context(), nc, WithClock(func() time.Time { return now }))
	require.NoError(t, err)
	entries := func() int {
		keys, err := q.attempts.kv.Keys(t.Context())
		require.NoError(t, err)
		return len(keys)
	}
	require.NoError(t, q.attempts.reach(t.Context(), 1))
	now = now.Add(time.Hour)
	require.NoError(t, q.attempts.reach(t.Context(), 2))
	require.Equal(t, 1, entries(), "it was written ahead")
	now = now.Add(16 * 24 * time.Hour)
	require.NoError(t, q.attempts.reach(t.Context(), 3))
	require.Equal(t, 2, entries())
}
