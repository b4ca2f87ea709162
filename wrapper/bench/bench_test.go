package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"
)

// TestMain is also the server's process, which is started as this program.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-serve") {
		if err := serve(); err != nil {
			panic(err)
		}
		return
	}
	m.Run()
}

// A comparison is one of equals only if all send the same.
func TestAllClientsSendTheSame(t *testing.T) {
	type request struct {
		protocol, path, body string
		header               http.Header
	}
	got := make(chan request, 1)
	at, stop := listen(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		got <- request{r.Proto, r.URL.Path, string(body), r.Header}
		queue(w, r)
	}))
	defer stop()
	for protocol, url := range map[string]string{"HTTP/1.1": at.HTTP1, "HTTP/2.0": at.HTTP2} {
		transport, err := newTransport(at)
		require.NoError(t, err)
		defer transport.CloseIdleConnections()
		all, err := clients(url, transport)
		require.NoError(t, err)
		workers := newCrew(1)
		defer close(workers.turns)
		var byHand http.Header
		for _, c := range all {
			require.NoError(t, c.sender(t.Context(), workers)(1), c.name)
			sent := <-got
			assert.Equal(t, protocol, sent.protocol, c.name)
			assert.Equal(t, "/notifications", sent.path, c.name)
			assert.JSONEq(t, `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`, sent.body, c.name)
			assert.NotEmpty(t, sent.header.Get("Idempotency-Key"), c.name)
			sent.header.Del("Idempotency-Key")
			if byHand == nil {
				byHand = sent.header
			}
			assert.Equal(t, byHand, sent.header, c.name)
		}
	}
}

func TestFailuresAreNotCounted(t *testing.T) {
	at, stop := listen(http.NotFoundHandler())
	defer stop()
	all, err := clients(at.HTTP1, http.DefaultTransport)
	require.NoError(t, err)
	workers := newCrew(2)
	defer close(workers.turns)
	for _, c := range all {
		assert.Error(t, c.sender(t.Context(), workers)(3), c.name)
	}
}

func TestTheWholeRun(t *testing.T) {
	lines := filepath.Join(t.TempDir(), "lines")
	var tables strings.Builder
	require.NoError(t, bench(t.Context(), &tables, settings{
		only: strings.Join(parts, ","), turn: time.Millisecond, total: time.Millisecond, output: lines,
		most: 1000, tail: time.Millisecond, limit: []int{10}, drill: 20,
	}))
	for _, want := range []string{
		"| throughput, of by hand | http/1.1, 1 |", "| go-retryablehttp |", "| 1000 notifications |",
		"| h2, Send |", "| time to notify, 600 a minute allowed | 10 |", "| SendAll |", "| net/http by hand |", "Whop's own SDK is left out",
	} {
		assert.Contains(t, tables.String(), want)
	}

	file, err := os.Open(lines)
	require.NoError(t, err)
	defer file.Close()
	read := 0
	for r := benchfmt.NewReader(file, lines); r.Scan(); {
		switch line := r.Result().(type) {
		case *benchfmt.SyntaxError:
			assert.Fail(t, line.Error())
		case *benchfmt.Result:
			read++
		}
	}
	assert.Equal(t, 6*7, read)
}
