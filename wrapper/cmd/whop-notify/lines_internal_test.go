package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// FuzzParseLine reads lines as they come from anybody. What passes is a valid notification,
// and says the same as the line: nothing is dropped, no audience is widened.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{
		`{"company_id":"biz_1","title":"T","content":"C"}`,
		`{"company_id":"biz_1","title":"T","content":"C","idempotency_key":"k"}`,
		`{"idempotency_key":"k","experience_id":"exp_1","title":"T","content":"C","user_ids":["user_1"]}`,
		`{"idempotency\u005fkey":"k","company_id":"biz_1","title":"T","content":"C","user_ids":[]}`,
		`{"idempotency_key":"k","idempotency_key":"l","company_id":"biz_1","title":"T","content":"C"}`,
		`{"idempotency_key":7}`, `{"idempotency_key":null,"company_id":"biz_1","title":"T","content":"C"}`,
		`[{"idempotency_key":"k"}]`, `{"company_id":"biz_1","title":"T","title":"idempotency","content":"C"}`, ``, `null`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		n, err := parseLine([]byte(line))
		if err != nil {
			require.ErrorIs(t, err, whop.ErrInvalidNotification)
			return
		}
		require.NoError(t, n.Validate())
		var want map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &want))
		if key, ok := want[keyField].(string); ok {
			require.Equal(t, key, n.IdempotencyKey())
		} else {
			require.Empty(t, n.IdempotencyKey())
		}
		delete(want, keyField)
		for name, value := range want { // absent, null and empty are the same
			if value == nil || value == "" {
				delete(want, name)
			}
		}
		body, err := n.MarshalJSON()
		require.NoError(t, err)
		var have map[string]any
		require.NoError(t, json.Unmarshal(body, &have))
		require.Equal(t, want, have)
	})
}

func TestCheckNamesEveryBadLine(t *testing.T) {
	const good = `{"company_id":"biz_1","title":"T","content":"C","idempotency_key":%q}` + "\n"
	_, err := checkAll(strings.NewReader(fmt.Sprintf(good, "a") + "\n" + // line 2 is blank
		`{"company_id":"biz_1","content":"C"}` + "\n" +
		`{"company_id":"biz_1","title":"T","content":"C","colour":"red"}` + "\n" +
		"not JSON\n" +
		fmt.Sprintf(good, "a") +
		fmt.Sprintf(good, "b") +
		`{"company_id":"biz_1","title":"T","content":"C","idempotency_key":7}` + "\n" +
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":[]}`))
	require.EqualError(t, err, strings.Join([]string{
		"line 3: title: is required and blank",
		"line 4: colour: unknown field",
		"line 5: not valid JSON",
		"line 6: idempotency_key: is that of line 1",
		"line 8: idempotency_key: must be a string",
		"line 9: user_ids: narrows the audience to nobody; leave user_ids out to notify everybody",
	}, "\n"))

	_, err = checkAll(endless("x\n"))
	require.Equal(t, maxComplaints+1, strings.Count(err.Error(), "\n")+1)
	require.ErrorContains(t, err, "\nnothing after that was checked")

	_, err = checkAll(io.MultiReader(strings.NewReader("\n\n"), strings.NewReader(strings.Repeat("x", maxLine+1))))
	require.EqualError(t, err, fmt.Sprintf("line 3: is longer than %d bytes", maxLine))

	_, err = checkAll(strings.NewReader(fmt.Sprintf(`{"company_id":"biz_1","title":"T","content":%q}`, strings.Repeat("<", 2<<20)))) // each takes six
	require.ErrorContains(t, err, "line 1: takes 12582")

	broken := errors.New("disk on fire")
	_, err = checkAll(io.MultiReader(strings.NewReader("x\n"), failingReader{broken}))
	require.ErrorIs(t, err, broken)
}

// endless repeats itself.
type endless string

func (e endless) Read(p []byte) (int, error) { return copy(p, e), nil }

func checkAll(r io.Reader) (manifest, error) { return check(context.Background(), r, false) }

func TestCheckFindsBroadcasts(t *testing.T) {
	const input = `{"company_id":"biz_1","title":"T","content":"C"}
{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1"]}
{"experience_id":"exp_1","title":"T","content":"user_ids"}
`
	found, err := checkAll(strings.NewReader(input))
	require.NoError(t, err)
	require.Equal(t, 3, found.Notifications)
	require.Equal(t, 2, found.Everybody)
	_, err = check(t.Context(), strings.NewReader(input), true)
	require.EqualError(t, err, "line 1: goes to everybody in its target, which --no-broadcast refuses\n"+
		"line 3: goes to everybody in its target, which --no-broadcast refuses")

	for _, empty := range []string{"", "\n\n", "\ufeff"} {
		_, err = checkAll(strings.NewReader(empty))
		require.ErrorIs(t, err, errNothing)
	}
	ended, end := context.WithCancelCause(t.Context())
	end(errNothing)
	_, err = check(ended, strings.NewReader(input), false)
	require.ErrorIs(t, err, errNothing)
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

// Line ends and marks of other systems are no faults.
func TestPassGivesKeysByLine(t *testing.T) {
	const file = "\ufeff" + `{"company_id":"biz_1","title":"T","content":"1"}` + "\r\n\r\n" +
		`{"company_id":"biz_1","title":"T","content":"2","idempotency_key":"own"}` + "\r\n" +
		`{"company_id":"biz_1","title":"T","content":"3"}`
	m, err := checkAll(strings.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, 3, m.Notifications)
	var keys []string
	require.NoError(t, pass(strings.NewReader(file), m, "run", func(number int, n whop.Notification) error {
		keys = append(keys, fmt.Sprint(number, " ", n.IdempotencyKey()))
		return nil
	}))
	require.Equal(t, []string{"1 run-1", "3 own", "4 run-4"}, keys)

	changed := strings.Replace(file, `"3"`, `"4"`, 1)
	nothing := func(int, whop.Notification) error { return errors.New("used before it was held against its sum") }
	require.ErrorIs(t, pass(strings.NewReader(changed), m, "run", nothing), errChanged)
	require.ErrorIs(t, pass(strings.NewReader("x"), m, "run", nothing), errChanged)
}
