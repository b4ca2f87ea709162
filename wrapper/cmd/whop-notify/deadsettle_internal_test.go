package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// Each dead letter is spoken of when its turn has come, and no longer than the queue answers.
func TestSettlingOneAfterTheOther(t *testing.T) {
	noAnswer := errors.New("queue: no answer")
	for _, test := range []struct {
		name           string
		fails          map[uint64]error
		asked          []uint64
		stdout, stderr string
		err, hint      string
	}{
		{name: "all", asked: []uint64{1, 2, 3}, stdout: "dead letter 1: done\ndead letter 2: done\ndead letter 3: done\n"},
		{
			name: "one is gone", fails: map[uint64]error{2: fmt.Errorf("%w: 2", queue.ErrNoDeadLetter)}, asked: []uint64{1, 2, 3},
			stdout: "dead letter 1: done\ndead letter 3: done\n", stderr: "whop-notify: queue: no such dead letter: 2\n",
			err: "not settled: 1 of 3 dead letters",
		},
		{
			name: "one may repeat", fails: map[uint64]error{1: queue.ErrMayRepeat}, asked: []uint64{1, 2, 3},
			stdout: "dead letter 2: done\ndead letter 3: done\n", stderr: "whop-notify: queue: a retry could notify a second time\n",
			err: "not settled: 1 of 3 dead letters", hint: "To retry all the same, and perhaps notify twice, add --accept-repeat.",
		},
		{
			name: "the queue does not answer", fails: map[uint64]error{2: noAnswer, 3: noAnswer}, asked: []uint64{1, 2},
			stdout: "dead letter 1: done\n", stderr: "whop-notify: queue: no answer\n",
			err: "stopped there, with 1 more to go", hint: "They are as they were: run the same command again for them.",
		},
		{
			name: "the queue does not answer for the last", fails: map[uint64]error{3: noAnswer}, asked: []uint64{1, 2, 3},
			stdout: "dead letter 1: done\ndead letter 2: done\n", stderr: "whop-notify: queue: no answer\n",
			err: "not settled: 1 of 3 dead letters",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			cmd := &cobra.Command{}
			cmd.SetOut(&stdout)
			cmd.SetErr(&stderr)
			cmd.SetContext(t.Context())
			var asked []uint64
			err := (&deadFlags{output: textFormat}).each(cmd, nil, []string{"1", "2", "3"}, func(id uint64) (settled, string, error) {
				asked = append(asked, id)
				return settled{ID: id}, "done", test.fails[id]
			})
			require.Equal(t, test.asked, asked)
			require.Equal(t, test.stdout, stdout.String())
			require.Equal(t, test.stderr, stderr.String())
			if test.err == "" {
				require.NoError(t, err)
				return
			}
			var exit *exitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, exitError{code: exitNot, err: exit.err, hint: test.hint}, *exit)
			require.EqualError(t, err, test.err)
		})
	}
}
