package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a full disk did not take is not forgotten, and is written when there is room.
func TestLedgerOnAFullDisk(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	require.NoError(t, err)
	defer full.Close()
	name := filepath.Join(t.TempDir(), ledgerFile)
	require.NoError(t, os.WriteFile(name, make([]byte, 3), 0o600))
	room, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	l := &ledger{file: full, fates: make([]fate, 4)}

	require.True(t, isFull(l.mark(1, fateSent)))
	require.True(t, isFull(l.mark(2, fateQueued)))
	require.True(t, isFull(l.sync()))
	require.Equal(t, 1, l.sentCount())

	l.file = room
	require.NoError(t, l.sync())
	require.NoError(t, l.mark(3, fateSent))
	require.NoError(t, l.close())
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "sqs", string(content))
}
