package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// replace puts text in the place of the file name in one step: a reader, or a crash,
// meets the old file or the new one. The file's mode stays; on failure so does the file.
func replace(ctx context.Context, name string, text []byte) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s is as it was: %w", name, err)
		}
	}()
	name, err = filepath.EvalSymlinks(name) // a link stays one
	if err != nil {
		return err
	}
	old, err := os.Stat(name)
	if err != nil {
		return err
	}
	// In the same directory, as a rename is one step only within a file system.
	temp, err := os.CreateTemp(filepath.Dir(name), ".specsync-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // after the rename there is nothing left to remove
	defer temp.Close()
	if _, err := temp.Write(text); err != nil {
		return err
	}
	if err := temp.Chmod(old.Mode().Perm()); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return os.Rename(temp.Name(), name)
}
