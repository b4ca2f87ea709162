package queue

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

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
