package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShellQuoted(t *testing.T) {
	for in, out := range map[string]string{
		"paid.ndjson.state": "paid.ndjson.state",
		"":                  "''",
		"a b & c":           "'a b & c'",
		"it's":              `'it'\''s'`,
	} {
		require.Equal(t, out, shellQuoted(in))
	}
}

func TestWithoutPasswords(t *testing.T) {
	for in, out := range map[string]string{
		"nats://bob:secret@host:4222":     "nats://host:4222",
		"bob:secret@host:4222":            "nats://host:4222",
		"tls://a:4222, bob:secret@b:4222": "tls://a:4222, nats://b:4222",
		"host:4222":                       "host:4222",
	} {
		require.Equal(t, out, withoutPasswords(in))
	}
	_, err := (&natsFlags{urls: "bob:secret@host:4222"}).address()
	require.ErrorContains(t, err, "--nats has credentials in it")
	require.NotContains(t, err.Error(), "secret")
}

// A process that is refused the directory leaves what the process at work has in it.
func TestALockedDirectoryIsLeftAlone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	at, err := openStateDir(t.Context(), name)
	require.NoError(t, err)
	defer at.close()
	f, pending, err := at.create()
	require.NoError(t, err)
	defer f.Close()

	_, err = lockStateDir(t.Context(), name, 0)
	require.ErrorIs(t, err, errInUse)
	_, err = openStateDir(t.Context(), name)
	require.ErrorIs(t, err, errInUse)
	require.FileExists(t, filepath.Join(name, pending))
	require.NoError(t, at.commit(pending, inputFile))
}

func TestAStateDirectoryThatIsGone(t *testing.T) {
	name := filepath.Join(t.TempDir(), "state")
	dir, err := openStateDir(t.Context(), name)
	require.NoError(t, err)
	defer dir.close()
	require.False(t, dir.gone())
	require.NoError(t, os.RemoveAll(name))
	require.True(t, dir.gone(), "deleted")
	require.NoError(t, os.Mkdir(name, 0o700))
	require.True(t, dir.gone(), "another one in its place")
}
