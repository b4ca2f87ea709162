package whoptest_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// without returns a header without what the HTTP server itself adds to each answer.
func without(h http.Header, names ...string) http.Header {
	h = h.Clone()
	for _, name := range append(names, "Date") {
		h.Del(name)
	}
	return h
}

func TestReplay(t *testing.T) {
	for _, test := range []struct {
		name   string
		script []whoptest.Reply
		date   string
		body   string
		status int
		queued int
	}{
		{name: "success", body: toCompany, status: 200, queued: 1},
		{name: "success of the current contract", date: "2026-09-25", body: toAccount, status: 202, queued: 1},
		{name: "refused body", body: `{"company_id":"biz_1"}`, status: 400},
		{name: "refused body of the current contract", date: "2026-09-25", body: toCompany, status: 400},
		{
			name:   "scripted refusal",
			script: []whoptest.Reply{whoptest.Error(403, "", "Missing permission").Remembered()},
			body:   toCompany, status: 403,
		},
		{
			name:   "scripted rate limit",
			script: []whoptest.Reply{whoptest.RateLimited(time.Second).Remembered()},
			body:   toCompany, status: 429,
		},
		{
			name: "headers",
			script: []whoptest.Reply{
				whoptest.Raw(422, "application/json", `{"error":{"type":"a","message":"b"}}`).WithHeader("X-Request-Id", "req_1").Remembered(),
			},
			body: toCompany, status: 422,
		},
		{
			name:   "error after queueing",
			script: []whoptest.Reply{whoptest.Error(500, "", "Boom").AfterQueueing().Remembered()},
			body:   toCompany, status: 500, queued: 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.Script(test.script...)
			request := exchange{body: test.body, header: keyed("order-1")}
			if test.date != "" {
				request.header.Set("Api-Version-Date", test.date)
			}
			first := request.do(t, server)
			assert.Equal(t, test.status, first.status)
			assert.Empty(t, first.header.Get("Idempotent-Replayed"))
			for range 2 {
				again := request.do(t, server)
				assert.Equal(t, first.status, again.status)
				assert.Equal(t, first.body, again.body)
				assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
				assert.Equal(t, without(first.header), without(again.header, "Idempotent-Replayed"))
			}
			assert.Len(t, server.Queued(), test.queued)
			assert.Len(t, server.Requests(), 3)
		})
	}
}

// A refusal before the operation begins says nothing about the key.
func TestKeyOfEarlyRefusal(t *testing.T) {
	for name, early := range map[string]exchange{
		"no such version": {body: toCompany, header: header("Api-Version-Date", "1999-01-01")},
		"not authorized":  {body: toCompany, header: header("Authorization", "Bearer wrong")},
		"other operation": {path: "/payments", body: toCompany},
		"other method":    {method: http.MethodPut, body: toCompany},
	} {
		t.Run(name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			if early.header == nil {
				early.header = http.Header{}
			}
			early.header.Set("Idempotency-Key", "order-1")
			assert.NotEqual(t, 200, early.do(t, server).status)
			a := exchange{body: toCompany, header: keyed("order-1")}.do(t, server)
			assert.Equal(t, 200, a.status)
			assert.Empty(t, a.header.Get("Idempotent-Replayed"))
		})
	}
}

func TestMismatch(t *testing.T) {
	version := func(date string) http.Header {
		h := keyed("order-1")
		h.Set("Api-Version-Date", date)
		return h
	}
	for name, other := range map[string]exchange{
		"body":           {body: toExperience, header: version("2026-07-20")},
		"a space":        {body: toCompany + " ", header: version("2026-07-20")},
		"invalid body":   {body: `{`, header: version("2026-07-20")},
		"version":        {body: toCompany, header: version("2025-01-01")},
		"contract":       {body: toAccount, header: version("2026-09-25")},
		"no version":     {body: toCompany, header: keyed("order-1")},
		"query":          {path: "/notifications?a=b", body: toCompany, header: version("2026-07-20")},
		"path":           {path: "/payments", body: toCompany, header: version("2026-07-20")},
		"method":         {method: http.MethodPut, body: toCompany, header: version("2026-07-20")},
		"path and query": {path: "/payments?a=b", body: toCompany, header: version("2026-07-20")},
	} {
		t.Run(name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			first := exchange{body: toCompany, header: version("2026-07-20")}
			require.Equal(t, 200, first.do(t, server).status)
			other.fails(t, server, 400, "idempotency_key_mismatch")
			again := first.do(t, server)
			assert.Equal(t, 200, again.status, "the first answer stays")
			assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
			assert.Len(t, server.Queued(), 1)
		})
	}
}

func TestInProgress(t *testing.T) {
	server := whoptest.NewServer(t)
	server.Script(whoptest.Stall().AfterQueueing())
	request := exchange{body: toCompany, header: keyed("order-1")}

	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	client, first := newHTTP(t), request.request(t, server).WithContext(ctx)
	stalled := make(chan error, 1)
	go func() { stalled <- readAnswer(client, first) }()
	require.Eventually(t, func() bool { return len(server.Queued()) == 1 }, 10*time.Second, time.Millisecond)

	request.fails(t, server, 409, "idempotency_request_in_progress")
	exchange{body: toExperience, header: keyed("order-1")}.fails(t, server, 400, "idempotency_key_mismatch")
	assert.Equal(t, 200, exchange{body: toCompany, header: keyed("order-2")}.do(t, server).status, "another key is free")

	leave()
	require.Error(t, <-stalled)
	require.Eventually(t, func() bool {
		a := request.do(t, server)
		return a.status == 200 && a.header.Get("Idempotent-Replayed") == "true"
	}, 10*time.Second, time.Millisecond, "once the first has ended its outcome is known")
	assert.Len(t, server.Queued(), 2)
}

func TestKeyScope(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetAPIKey("first-company")
	first := exchange{body: toCompany, header: keyed("order-1")}
	require.Equal(t, 200, first.do(t, server).status)

	server.SetAPIKey("second-company")
	second := exchange{body: toExperience, header: keyed("order-1")}.do(t, server)
	assert.Equal(t, 200, second.status)
	assert.Empty(t, second.header.Get("Idempotent-Replayed"))
	assert.Len(t, server.Queued(), 2)

	server.SetAPIKey("first-company")
	assert.Equal(t, "true", first.do(t, server).header.Get("Idempotent-Replayed"))
}

func TestKeyLifetime(t *testing.T) {
	server := whoptest.NewServer(t)
	now := time.Date(2026, 7, 20, 12, 0, 0, 0, time.UTC)
	server.SetClock(func() time.Time { return now })
	request := exchange{body: toCompany, header: keyed("order-1")}
	require.Equal(t, 200, request.do(t, server).status)

	now = now.Add(24*time.Hour - time.Nanosecond)
	assert.Equal(t, "true", request.do(t, server).header.Get("Idempotent-Replayed"))
	assert.Len(t, server.Queued(), 1)

	now = now.Add(time.Nanosecond)
	assert.Empty(t, request.do(t, server).header.Get("Idempotent-Replayed"))
	assert.Len(t, server.Queued(), 2, "a day later it is a new request")
	assert.Equal(t, now, server.Queued()[1].Time)

	other := exchange{body: toExperience, header: keyed("order-1")}
	other.fails(t, server, 400, "idempotency_key_mismatch")
	now = now.Add(24 * time.Hour)
	assert.Equal(t, 200, other.do(t, server).status)
}

func TestKeyLength(t *testing.T) {
	server := whoptest.NewServer(t)
	found := exchange{body: toCompany, header: keyed(strings.Repeat("k", 256))}.fails(t, server, 400, "parameter_invalid")
	assert.Equal(t, "Idempotency-Key", found.Param)
	assert.Equal(t, 200, exchange{body: toCompany, header: keyed(strings.Repeat("k", 255))}.do(t, server).status)
	for range 2 { // without a key nothing is recognized
		assert.Equal(t, 200, exchange{body: toCompany}.do(t, server).status)
	}
	assert.Len(t, server.Queued(), 3)
}
