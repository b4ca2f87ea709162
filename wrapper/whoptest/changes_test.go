package whoptest_test

import (
	"context"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestChangesFollowARequest(t *testing.T) {
	server := whoptest.NewServer(t)
	next, stop := iter.Pull(server.Changes(t.Context(), 0))
	defer stop()
	server.Script(whoptest.Error(503, "", "Busy"))
	exchange{body: toCompany, header: keyed("order-1")}.do(t, server)
	server.Close() // waits for the end of the request

	change, ok := next()
	require.True(t, ok)
	assert.Equal(t, whoptest.Change{Revision: 2, Request: server.Requests()[0]}, change, "once, as it is now")
	r := change.Request
	assert.Equal(t, 1, r.ID)
	assert.False(t, r.Ended.IsZero())
	assert.Equal(t, "Error 503", r.Reply)
	assert.Equal(t, "application/json", r.AnswerHeader.Get("Content-Type"))
	assert.JSONEq(t, `{"error":{"type":"service_unavailable","message":"Busy"}}`, string(r.AnswerBody))
	_, ok = next()
	assert.False(t, ok, "ends with the server")
}

// Every arrival, end and Forget has a revision to continue from.
func TestChangesGoOn(t *testing.T) {
	server := whoptest.NewServer(t)
	arrived := make(chan struct{})
	server.ScriptFunc(func(whoptest.Request) whoptest.Reply {
		close(arrived)
		return whoptest.Stall()
	})
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, err := newHTTP(t).Do(exchange{body: toCompany}.request(t, server).WithContext(ctx))
		assert.Error(t, err)
	}()
	<-arrived
	server.ScriptFunc(nil)
	first := one(t, server, 0)
	assert.Equal(t, 1, first.Request.ID)
	assert.True(t, first.Request.Ended.IsZero(), "in progress")

	hangUp()
	<-gone
	second := one(t, server, first.Revision)
	assert.Equal(t, 1, second.Request.ID)
	assert.False(t, second.Request.Ended.IsZero())
	assert.Zero(t, second.Request.Status)
	assert.Equal(t, "Stall", second.Request.Reply)

	fromNow, stop := iter.Pull(server.Changes(t.Context(), server.Revision()))
	defer stop()
	server.Forget()
	forgotten := one(t, server, first.Revision)
	assert.Equal(t, whoptest.Change{Revision: second.Revision + 1, Forgotten: true}, forgotten)
	change, _ := fromNow()
	assert.Equal(t, forgotten, change)
}

// one returns the first change after a revision.
func one(t *testing.T, server *whoptest.Server, after int) whoptest.Change {
	t.Helper()
	for change := range server.Changes(t.Context(), after) {
		return change
	}
	t.Fatal("no change")
	panic("unreachable")
}

func TestChangesOfMoreThanAreKept(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetHistoryLimit(250)
	for range 300 {
		exchange{body: toCompany}.do(t, server)
	}
	server.Close()
	var ids []int
	for change := range server.Changes(t.Context(), 0) {
		ids = append(ids, change.Request.ID)
		if change.Request.ID == 300 {
			break
		}
	}
	require.Len(t, ids, 250)
	assert.Equal(t, 51, ids[0])
	assert.IsIncreasing(t, ids)
}

func TestForget(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetRateLimit(2)
	exchange{body: toCompany, header: keyed("order-1")}.do(t, server)
	server.Script(whoptest.Error(503, "", "1"), whoptest.Reset())
	assert.Len(t, server.Scripted(), 2)
	server.Forget()
	assert.Empty(t, server.Requests())
	assert.Empty(t, server.Queued())
	assert.Empty(t, server.Scripted())

	for range 2 { // the first is no mismatch, and the second is within the rate limit
		assert.Equal(t, 200, exchange{body: toExperience, header: keyed("order-1")}.do(t, server).status)
	}
	require.Len(t, server.Requests(), 2)
	assert.Equal(t, 2, server.Requests()[0].ID, "goes on counting")
	assert.True(t, server.Requests()[0].Queued)
	assert.False(t, server.Requests()[1].Queued, "a replay")
}

func TestForgetWhatIsBeingServed(t *testing.T) {
	server := whoptest.NewServer(t)
	r := exchange{}.request(t, server)
	body, rest := io.Pipe()
	r.Body, r.ContentLength = body, int64(len(toCompany))
	go func() {
		for range server.Changes(t.Context(), 0) {
			break // it arrived
		}
		server.Forget()
		_, _ = io.WriteString(rest, toCompany)
		_ = rest.Close()
	}()
	resp, err := newHTTP(t).Do(r)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, 200, resp.StatusCode)
	assert.Empty(t, server.Requests())
	assert.Empty(t, server.Queued())
}

// What is served after Forget takes no key away from the next test.
func TestForgetDuringAStall(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.StallFor(50 * time.Millisecond))
	request := exchange{body: toCompany, header: keyed("order-1")}
	first := make(chan struct{})
	r := request.request(t, server)
	go func() {
		defer close(first)
		resp, err := newHTTP(t).Do(r)
		if assert.NoError(t, err) {
			resp.Body.Close()
		}
	}()
	for range server.Changes(t.Context(), 0) {
		break // it arrived
	}
	server.Forget()
	<-first
	again := request.do(t, server)
	assert.Equal(t, 200, again.status)
	assert.Empty(t, again.header.Get("Idempotent-Replayed"))
	assert.Len(t, server.Queued(), 1)
}

// The context ends Changes, also while changes keep coming.
func TestChangesEndWithTheContext(t *testing.T) {
	server := whoptest.NewServer(t)
	exchange{body: toCompany}.do(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changes := 0
	for range server.Changes(ctx, 0) {
		if changes++; changes == 1 {
			cancel()
		}
		require.Less(t, changes, 10)
		exchange{body: toCompany}.do(t, server)
	}
	assert.Equal(t, 1, changes)
}
