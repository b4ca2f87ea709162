package queue_test

import (
	"os"
	"syscall"
)

// Tests keep their stores in memory if there is room: a dozen servers that sync each message
// would wait for the disk, and for each other. A killed process loses nothing there either.
func init() {
	const dir, enough = "/dev/shm", 4 << 30
	var s syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(dir, &s) == nil && s.Bavail*uint64(s.Bsize) > enough {
		_ = os.Setenv("TMPDIR", dir)
	}
}
