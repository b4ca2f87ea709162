package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Whatever a notification or a server says, it does not steer the terminal of who looks at it.
func TestDeadLettersPrintNothingRaw(t *testing.T) {
	t.Parallel()
	const evil = "\u009b31m\u202eevil\u2028\u007f\u0085"
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "\x1b]0;x\x07"+evil) })
	file := filepath.Join(t.TempDir(), "evil.ndjson")
	require.NoError(t, os.WriteFile(file, []byte(`{"company_id":"biz_1","title":"`+evil+`","content":"\u001b[2J"}`), 0o600))
	f := execute(t, environment(server), "batch", file, "--output", "json", "--verbose")
	require.Equal(t, 1, f.code, f.stderr)
	var said strings.Builder
	said.WriteString(f.stdout + f.stderr)
	for _, args := range []string{"dead list", "dead list -o json", "dead show 1", "dead show 1 -o json"} {
		f := execute(t, nil, append(strings.Fields(args), "--state", file+".state")...)
		require.Zero(t, f.code, f.stderr)
		require.Contains(t, f.stdout, "evil")
		said.WriteString(f.stdout + f.stderr)
	}
	for _, r := range said.String() {
		if r != '\n' {
			require.False(t, unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028', "%q in %q", r, said.String())
		}
	}
	letter := parseAs[deadResult](t, execute(t, nil, "dead", "show", "1", "-o", "json", "--state", file+".state").stdout)
	require.Equal(t, "\x1b[2J", letter.Notification.Content, "it says the same")
}

func TestSettlingNoDeadLetters(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	file := fileOf(t, 2)
	require.Zero(t, execute(t, environment(server), "batch", file).code)
	for _, command := range []string{"retry", "drop"} {
		require.Equal(t, finished{0, "", "no dead letters\n"}, execute(t, nil, "dead", command, "--all", "--state", file+".state"))
	}
}

// Two people who retry everything at once do not get into each other's way.
func TestTwoRetriesOfEverythingAtOnce(t *testing.T) {
	t.Parallel()
	const n = 40
	server := whoptest.NewServer(t)
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply { return whoptest.Error(422, "", "Verify first.") })
	hub := startNATS(t)
	q := hub.open()
	env := append(environment(server), "NATS_URL="+hub.url())
	require.Zero(t, execute(t, env, "enqueue", fileOf(t, n)).code)
	p := start(t, env, "work", "--rate-limit", "0")
	settled(t, q, patience)
	first, second := start(t, env, "dead", "retry", "--all"), start(t, env, "dead", "retry", "--all")
	server.ScriptFunc(nil)
	for _, retry := range []*process{first, second} {
		f := retry.finish()
		require.Zero(t, f.code, f.stderr)
		require.Contains(t, []string{"", "no dead letters\n"}, f.stderr)
	}
	stats := settled(t, q, patience)
	require.Equal(t, n, stats.Sent)
	require.Zero(t, stats.Dead)
	onceEach(t, server, n)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
}
