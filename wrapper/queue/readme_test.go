package queue_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// block returns the block of code under a heading of README.md.
func block(t *testing.T, heading, language string) (text, section string) {
	t.Helper()
	document, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(document), "\n## "+heading+"\n")
	require.True(t, found, heading)
	section, _, _ = strings.Cut(section, "\n## ")
	found2 := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$").FindStringSubmatch(section)
	if found2 != nil {
		text = found2[1]
	}
	return text, section
}

// A server reads the README's configuration, and then syncs every message.
func TestREADMEServerConfiguration(t *testing.T) {
	t.Parallel()
	text, _ := block(t, "On your own NATS", "conf")
	file := filepath.Join(t.TempDir(), "nats.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	options, err := server.ProcessConfigFile(file)
	require.NoError(t, err)
	assert.True(t, options.JetStream)
	assert.True(t, options.SyncAlways)
}

// The table below the diagram lists the diagram's states.
func TestREADMEStates(t *testing.T) {
	t.Parallel()
	diagram, section := block(t, "The states", "text")
	states := regexp.MustCompile(`\b[A-Z]{2,}(?: [A-Z]{2,})?\b`).FindAllString(diagram, -1)
	require.Len(t, states, 6, "%v", states)
	for _, state := range states {
		assert.Regexp(t, `\n\| `+strings.ToLower(state)+`\b`, section)
	}
}

// The table of metrics to watch lists every count.
func TestREADMEStats(t *testing.T) {
	t.Parallel()
	_, section := block(t, "Watching it", "")
	for field := range reflect.TypeFor[queue.Stats]().Fields() {
		assert.Contains(t, section, "`"+field.Name+"`")
	}
}
