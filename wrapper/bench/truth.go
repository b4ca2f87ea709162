package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// tally compares what a client said with the truth: what the server queued.
type tally struct {
	n             int // notifications
	told          int // of them, queued at least once
	wronglySent   int // said sent, and was not queued
	wronglyFailed int // said failed, and was queued
	unknown       int // said unknown
	twice         int // queued more than once
	requests      int
	took          time.Duration
}

const contenderTime = 15 * time.Minute // more than any needs

// contend lets a client send n notifications to the server, which it closes.
func contend(ctx context.Context, c contender, server *whoptest.Server, n int) (tally, error) {
	ctx, cancel := context.WithTimeout(ctx, contenderTime)
	defer cancel()
	server.SetAPIKey(apiKey)
	listener := httptest.NewServer(numbered(server))
	defer listener.Close()
	defer server.Close()
	a, err := c.notify(ctx, listener.URL+"/api/v1", n)
	if err == nil {
		err = context.Cause(ctx)
	}
	if err == nil && len(a.said) != n {
		err = fmt.Errorf("%d verdicts on %d notifications", len(a.said), n)
	}
	if err != nil {
		return tally{}, fmt.Errorf("%s: %w", c.name, err)
	}
	server.Close() // waits for the requests being served
	t := count(server, a.said)
	t.took = a.took
	return t, nil
}

func count(server *whoptest.Server, said []verdict) tally {
	t := tally{n: len(said), requests: len(server.Requests())}
	times := make([]int, len(said))
	for _, r := range server.Queued() {
		if i, err := strconv.Atoi(numberOf(r.Body)); err == nil && i < len(times) {
			times[i]++
		}
	}
	for i, queued := range times {
		if queued > 0 {
			t.told++
		}
		if queued > 1 {
			t.twice++
		}
		switch {
		case said[i] == saidUnknown:
			t.unknown++
		case said[i] == saidSent && queued == 0:
			t.wronglySent++
		case said[i] == saidFailed && queued > 0:
			t.wronglyFailed++
		}
	}
	return t
}

func (t tally) requestsEach() float64 { return float64(t.requests) / float64(t.n) }

// numbered tells the server the number of each invoice in a header, so that what happens
// to a request does not depend on the client's own headers.
func numbered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Set(numberHeader, numberOf(body))
		next.ServeHTTP(w, r)
	})
}

const numberHeader = "Invoice-Number"

// numberOf returns the number of the invoice in a request's body, "" if there is none.
func numberOf(body []byte) string {
	var n struct{ Content string }
	if err := json.Unmarshal(body, &n); err != nil {
		return ""
	}
	before, _, _ := strings.Cut(strings.TrimPrefix(n.Content, "Invoice "), " is paid")
	return before
}
