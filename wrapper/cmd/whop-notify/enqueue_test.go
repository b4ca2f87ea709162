package main_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A run's name is part of keys, and must fit there.
func TestTheNameOfARun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ run, says string }{
		"too_long":  {strings.Repeat("r", 201), "--run has 201 bytes, over 200"},
		"a_newline": {"monday\nmorning", "--run "},
		"not_ASCII": {"März", "--run "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := execute(t, nil, "enqueue", fileOf(t, 1), "--nats", "nats://127.0.0.1:1", "--run", c.run)
			require.Equal(t, 2, f.code, f.stderr)
			require.Contains(t, f.stderr, c.says)
		})
	}
}

// A second run on purpose has keys of its own, where a line has none.
func TestASecondRun(t *testing.T) {
	t.Parallel()
	hub := startNATS(t)
	q := hub.open()
	file := fileOf(t, 3) // the first with a key
	enqueue := func(args ...string) finished {
		return execute(t, nil, append([]string{"enqueue", file, "--nats", hub.url()}, args...)...)
	}
	require.Contains(t, enqueue().stdout, "enqueued: 3 of 3 notifications; 0 were in the queue already")
	again := enqueue()
	require.Zero(t, again.code)
	require.Contains(t, again.stdout, "enqueued: 0 of 3 notifications; 3 were in the queue already")
	require.Contains(t, again.stderr, "--run NAME sends the lines without a key of their own once more")
	require.Contains(t, enqueue("--run", "second").stdout, "enqueued: 2 of 3 notifications; 1 were in the queue already")
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 5, stats.Waiting)
}

// A corrected file keeps the keys of its other lines by the run that is named.
func TestALineThatIsNotEnqueued(t *testing.T) {
	t.Parallel()
	hub := startNATS(t)
	q := hub.open()
	file := fileOf(t, 3)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	large := strings.Replace(string(text), content(1), strings.Repeat("x", 2<<20), 1) // over max_payload
	require.NoError(t, os.WriteFile(file, []byte(large), 0o600))
	f := execute(t, nil, "enqueue", file, "--nats", hub.url(), "--output", "json")
	require.Equal(t, 1, f.code, f.stderr)
	require.JSONEq(t, `{"notifications":3,"enqueued":2,"duplicates":0,"will_not_go":0,"not_enqueued":1,"uncertain":0}`, f.stdout)
	require.Contains(t, f.stderr, "line 2: queue: the notification is not in the queue: it has 2097")
	_, after, found := strings.Cut(f.stderr, "--run ")
	require.True(t, found, f.stderr)
	run, _, _ := strings.Cut(after, ":")

	require.NoError(t, os.WriteFile(file, text, 0o600))
	f = execute(t, nil, "enqueue", file, "--nats", hub.url(), "--run", run)
	require.Zero(t, f.code, f.stderr)
	require.Contains(t, f.stdout, "enqueued: 1 of 3 notifications; 2 were in the queue already")
	stats, err := q.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, stats.Waiting)
}
