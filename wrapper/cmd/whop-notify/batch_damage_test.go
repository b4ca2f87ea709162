package main_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Whatever the store loses, nobody is notified twice, nobody is left out, and it is said.
func TestAStoreThatLostSomething(t *testing.T) {
	t.Parallel()
	blocks := func(t *testing.T, state string, do func(name string)) {
		t.Helper()
		found := false
		require.NoError(t, filepath.WalkDir(filepath.Join(state, "queue"), func(name string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(name, ".blk") && strings.Contains(name, "streams/whop-notify/msgs") {
				found = true
				do(name)
			}
			return err
		}))
		require.True(t, found)
	}
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, state string)
	}{
		{name: "removed", damage: func(t *testing.T, state string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(filepath.Join(state, "queue")))
		}},
		{name: "cut short", damage: func(t *testing.T, state string) {
			t.Helper()
			blocks(t, state, func(name string) {
				info, err := os.Stat(name)
				require.NoError(t, err)
				require.NoError(t, os.Truncate(name, info.Size()/2))
			})
		}},
		{name: "a bit flipped", damage: func(t *testing.T, state string) {
			t.Helper()
			blocks(t, state, func(name string) {
				content, err := os.ReadFile(name)
				require.NoError(t, err)
				content[len(content)/2] ^= 4
				require.NoError(t, os.WriteFile(name, content, 0o600))
			})
		}},
		{name: "emptied", damage: func(t *testing.T, state string) {
			t.Helper()
			blocks(t, state, func(name string) { require.NoError(t, os.Truncate(name, 0)) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			file := fileOf(t, 50)
			state := killedAfter(t, server, file, 20)
			test.damage(t, state)
			f := execute(t, environment(server), "batch", file, "--rate-limit", "0")
			require.Zero(t, f.code, f.stderr)
			require.Contains(t, f.stderr, "the store in "+state+" no longer has ")
			require.Contains(t, f.stdout, "all queued: Whop has taken 50 of 50")
			onceEach(t, server, 50)
		})
	}
}

// backdate makes a batch that was begun long ago.
func backdate(t *testing.T, state string, age time.Duration) {
	t.Helper()
	name := filepath.Join(state, "batch.json")
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	var signed struct {
		Batch map[string]any `json:"batch"`
		Sum   string         `json:"sum"`
	}
	require.NoError(t, json.Unmarshal(content, &signed))
	signed.Batch["begun"] = time.Now().Add(-age)
	batch, err := json.Marshal(signed.Batch)
	require.NoError(t, err)
	signed.Sum = fmt.Sprintf("%x", sha256.Sum256(batch))
	content, err = json.Marshal(map[string]any{"batch": json.RawMessage(batch), "sum": signed.Sum})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, content, 0o600))
}

// Where Whop may have forgotten the keys, what may have been attempted is unknown, and only
// what certainly was not is sent.
func TestAStoreThatLostSomethingLongAgo(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 400)
	hanging(server, 20)
	p := start(t, environment(server), "batch", file, "--rate-limit", "0", "--concurrency", "4")
	require.Eventually(t, func() bool { return len(server.Queued()) >= 20 }, patience, time.Millisecond)
	p.kill()
	settle(t, server)
	state := file + ".state"
	ledger, err := os.ReadFile(filepath.Join(state, "ledger"))
	require.NoError(t, err)
	doubtful, fresh := bytes.Count(ledger, []byte("q")), bytes.Count(ledger[:400], []byte{0})
	require.NotZero(t, doubtful)
	before := delivered(t, server)
	require.NoError(t, os.RemoveAll(filepath.Join(state, "queue")))
	backdate(t, state, 24*time.Hour)

	f := execute(t, environment(server), "batch", file, "--rate-limit", "0", "--output", "json")
	require.Equal(t, 3, f.code, f.stderr)
	require.Contains(t, f.stderr, "whether they went out is unknown, and they are too old to send again under the same keys")
	require.Contains(t, f.stderr, "The store has lost")
	_, s := parseBatch(t, f.stdout)
	require.Equal(t, summary{Notifications: 400, Everybody: 400, Queued: 400 - doubtful, Unknown: doubtful, Lost: doubtful, Done: true}, s)
	after := delivered(t, server)
	for text, times := range after {
		require.Equal(t, 1, times, text)
	}
	require.Len(t, after, len(before)+fresh)
}

func TestADamagedStateIsRefused(t *testing.T) {
	t.Parallel()
	flip := func(name string) func(t *testing.T, state string) {
		return func(t *testing.T, state string) {
			t.Helper()
			content, err := os.ReadFile(filepath.Join(state, name))
			require.NoError(t, err)
			content[len(content)/2] ^= 1
			require.NoError(t, os.WriteFile(filepath.Join(state, name), content, 0o600))
		}
	}
	remove := func(name string) func(t *testing.T, state string) {
		return func(t *testing.T, state string) {
			t.Helper()
			require.NoError(t, os.Remove(filepath.Join(state, name)))
		}
	}
	for _, test := range []struct {
		name   string
		damage func(t *testing.T, state string)
		code   int
		says   string
	}{
		{name: "batch.json, a bit", damage: flip("batch.json"), code: 2, says: "is not the state of a batch, or is damaged"},
		{name: "batch.json gone", damage: remove("batch.json"), code: 2, says: "has a queue, but batch.json is gone"},
		{name: "ledger gone", damage: remove("ledger"), code: 1, says: "the record of what was sent"},
		{name: "ledger cut short", damage: func(t *testing.T, state string) {
			t.Helper()
			require.NoError(t, os.Truncate(filepath.Join(state, "ledger"), 3))
		}, code: 1, says: "is damaged: it has 3 entries in place of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := whoptest.NewServer(t)
			file := fileOf(t, 30)
			state := killedAfter(t, server, file, 5)
			test.damage(t, state)
			before := len(server.Requests())
			f := execute(t, environment(server), "batch", file, "--rate-limit", "0")
			require.Equal(t, test.code, f.code, f.stderr)
			require.Contains(t, f.stderr, test.says)
			require.Contains(t, f.stderr, "--restart")
			require.Contains(t, f.stderr, "leave out those that may have gone out")
			require.Len(t, server.Requests(), before)
		})
	}
	t.Run("copy of the input, a bit", func(t *testing.T) {
		t.Parallel()
		server := whoptest.NewServer(t)
		file := fileOf(t, 2000) // not all of it is in the queue yet
		hanging(server, 0)
		p := start(t, environment(server), "batch", file)
		require.Eventually(t, func() bool { return len(server.Requests()) > 0 }, patience, time.Millisecond)
		p.kill()
		flip("input.ndjson")(t, file+".state")
		settle(t, server)
		f := execute(t, environment(server), "batch", file, "--rate-limit", "0")
		if f.code != 0 { // else all of it was in the queue before
			require.Equal(t, 1, f.code)
			require.Contains(t, f.stderr, "the copy of the input is no longer what was checked")
		}
	})
}
