package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"
)

// batchState is what a batch keeps beside its queue, so that it goes on where it was.
type batchState struct {
	Run string `json:"run"` // from which the idempotency keys are made
	manifest
	Queued bool `json:"queued"` // all of it; the file is not needed any more

	dir string
}

func (s *batchState) file() string  { return filepath.Join(s.dir, "batch.json") }
func (s *batchState) spool() string { return filepath.Join(s.dir, "input.ndjson") }

// loadState reads the state of a directory; a new batch has no Run.
func loadState(dir string) (*batchState, error) {
	s := &batchState{dir: dir}
	content, err := os.ReadFile(s.file())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, s); err != nil || s.Run == "" {
		return nil, fmt.Errorf("%s is not the state of a batch", s.file())
	}
	return s, nil
}

// begin takes a file for the batch, or makes sure that it is the one begun with.
func (s *batchState) begin(m manifest) error {
	if s.Run != "" {
		if s.manifest != m {
			return fmt.Errorf("this is not the file that the batch in %s was begun with; give another --state for another batch", s.dir)
		}
		return nil
	}
	s.Run, s.manifest = uuid.NewString(), m
	return s.save()
}

// finishQueueing notes that all is in the queue.
func (s *batchState) finishQueueing() error {
	s.Queued = true
	if err := s.save(); err != nil {
		return err
	}
	if err := os.Remove(s.spool()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *batchState) save() error {
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeWhole(s.file(), func(w io.Writer) error {
		_, err := w.Write(append(content, '\n'))
		return err
	})
}

// keepInput copies standard input, which cannot be read twice, into the directory.
func (s *batchState) keepInput(r io.Reader) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return writeWhole(s.spool(), func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

// writeWhole makes a file that is there whole, on the disk, or not at all.
func writeWhole(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	_ = dir.Sync() // which not every system can
	return nil
}
