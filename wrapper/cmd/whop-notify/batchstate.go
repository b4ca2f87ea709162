package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// batchState says which input a state directory belongs to, and how its batch ended.
type batchState struct {
	Run string `json:"run"` // the idempotency keys are made from it
	manifest
	contract
	Input    string    `json:"input"` // as named on the command line
	Begun    time.Time `json:"begun"`
	Finished time.Time `json:"finished,omitzero"` // the last time that nothing was left to do
	ExitCode int       `json:"exit_code"`         // then
	Summary  *summary  `json:"summary,omitempty"` // then
}

const (
	stateFile = "batch.json"
	inputFile = "input.ndjson" // a copy, so that the checked lines are sent
)

// signedState is a state with a checksum: a damaged state would make other keys.
type signedState struct {
	State json.RawMessage `json:"batch"`
	Sum   string          `json:"sum"`
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// loadState reads the state of a directory. It returns nil if no batch has begun.
func loadState(root *os.Root) (*batchState, error) {
	content, err := root.ReadFile(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := root.Lstat("queue"); err == nil {
			return nil, fmt.Errorf("%s has a queue, but %s is gone: it is not known what was sent", root.Name(), stateFile)
		}
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var signed signedState
	s := &batchState{}
	if err := json.Unmarshal(content, &signed); err != nil || signed.Sum != sumOf(signed.State) || json.Unmarshal(signed.State, s) != nil {
		return nil, fmt.Errorf("%s/%s is not the state of a batch, or is damaged", root.Name(), stateFile)
	}
	return s, nil
}

// readState reads the state of a directory that must exist.
func readState(dir string) (*batchState, error) {
	root, err := os.OpenRoot(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("the state directory cannot be read: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not the directory of a batch", dir)
	}
	defer root.Close()
	state, err := loadState(root)
	if state == nil && err == nil {
		err = fmt.Errorf("%s is not the directory of a batch", dir)
	}
	return state, err
}

func (s *batchState) save(d *stateDir) error {
	content, err := json.Marshal(s)
	if err != nil {
		return err
	}
	signed, err := json.Marshal(signedState{content, sumOf(content)})
	if err != nil {
		return err
	}
	return d.write(stateFile, append(signed, '\n'))
}

// differs says how the input of a batch differs from another one. It returns nil if they are the
// same.
func (s *batchState) differs(m manifest) error {
	switch {
	case s.Sum == m.Sum:
		return nil
	case s.Notifications != m.Notifications:
		return fmt.Errorf("that had %s, this has %d", counted(s.Notifications), m.Notifications)
	}
	return errors.New("that had as many notifications, with another content")
}

// differsIn says how the base URL or version of a batch differs from another one.
func (s *batchState) differsIn(c contract) error {
	switch {
	case s.BaseURL != c.BaseURL:
		return fmt.Errorf("goes to %s, and this run would send to %s", s.BaseURL, c.BaseURL)
	case s.APIVersion != c.APIVersion:
		return fmt.Errorf("has the --api-version %s, and this run has %s", c.named(s.APIVersion), c.named(c.APIVersion))
	}
	return nil
}

// history says when the batch was begun and done, for a person.
func (s *batchState) history() string {
	done := "not finished"
	if !s.Finished.IsZero() {
		done = "done on " + s.Finished.Format(shownTime)
	}
	return fmt.Sprintf("begun with %s on %s, %s", oneLine(inputName(s.Input)), s.Begun.Format(shownTime), done)
}

const shownTime = "2006-01-02 15:04:05 MST"
