package inbox_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/whopnotify/whopnotify/wrapper/cmd/whop-notify/internal/inbox"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// standIn is an inbox over a stand-in of Whop's API, behind a listener.
type standIn struct {
	t      *testing.T
	server *whoptest.Server
	url    string
	client *http.Client
	doc    *openapi3.T
	seen   map[string]bool // operations with the statuses that they answered
}

func start(t *testing.T, config inbox.Config) *standIn {
	t.Helper()
	server, err := whoptest.New()
	require.NoError(t, err)
	t.Cleanup(server.Close)
	server.SetHistoryLimit(1000)
	config.Source, config.Else, config.Secret = server, server, server.APIKey()
	if config.Controls == nil {
		config.Controls = server
	}
	front := httptest.NewServer(inbox.New(config))
	t.Cleanup(front.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	content, err := os.ReadFile("openapi.yml")
	require.NoError(t, err)
	doc, err := openapi3.NewLoader().LoadFromData(content)
	require.NoError(t, err)
	return &standIn{t, server, front.URL, &http.Client{Transport: transport}, doc, map[string]bool{}}
}

const patience = 30 * time.Second // before a test fails

// call makes a request, and wants its answer in the description.
func (s *standIn) call(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := s.client.Do(r)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err, "%s %s answered %d and did not end", method, path, resp.StatusCode)
	s.described(resp, content)
	return resp.StatusCode, string(content)
}

// described checks an answer against the description. What has no operation there must be
// refused as the description says of all such.
func (s *standIn) described(resp *http.Response, body []byte) {
	s.t.Helper()
	path := resp.Request.URL.Path
	if strings.HasPrefix(path, "/_/requests/") {
		path = "/_/requests/{id}"
	}
	item := s.doc.Paths.Value(path)
	switch {
	case !strings.HasPrefix(path, "/_/") || resp.Request.Method == http.MethodHead:
		return
	case item == nil || item.GetOperation(resp.Request.Method) == nil:
		require.Contains(s.t, []int{401, 403, 404, 405}, resp.StatusCode)
		s.valid(s.doc.Components.Schemas["Error"], body)
		return
	}
	answer := item.GetOperation(resp.Request.Method).Responses.Status(resp.StatusCode)
	require.NotNil(s.t, answer, "%s %s answers %d, which is not described: %s", resp.Request.Method, path, resp.StatusCode, body)
	s.seen[resp.Request.Method+" "+path+" "+resp.Status[:3]] = true
	media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if len(answer.Value.Content) == 0 {
		require.Empty(s.t, body)
		return
	}
	require.NotNil(s.t, answer.Value.Content[media], media)
	if media == "application/json" {
		s.valid(answer.Value.Content[media].Schema, body)
	}
}

func (s *standIn) valid(schema *openapi3.SchemaRef, body []byte) {
	s.t.Helper()
	var value any
	require.NoError(s.t, json.Unmarshal(body, &value), "%s", body)
	require.NoError(s.t, s.doc.ValidateSchemaJSON(schema.Value, value), "%s", body)
}

// notify sends a notification to the stand-in.
func (s *standIn) notify(body, key string, header ...string) int {
	s.t.Helper()
	header = append([]string{"Authorization", "Bearer " + s.server.APIKey(), "Content-Type", "application/json", "Idempotency-Key", key}, header...)
	status, _ := s.call(http.MethodPost, "/api/v1/notifications", body, header...)
	return status
}

func list[T any](t *testing.T, text string) (values []T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &values))
	return values
}

const (
	paid  = `{"company_id":"biz_1","title":"<script>","content":"Invoice 7 is paid","TITLE":"other"}`
	class = `{"experience_id":"exp_1","title":"Class","content":"Room 2","user_ids":["user_1","user_2"],"subtitle":"S","rest_path":"/r","icon_user_id":"user_9"}`
)

// Every operation answers as the description says, and the description names nothing that
// is not there.
func TestDescription(t *testing.T) {
	s := start(t, inbox.Config{})
	require.NoError(t, s.doc.Validate(t.Context()))
	s.server.Script(whoptest.Error(503, "", "Busy"))
	require.Equal(t, 503, s.notify(class, "order-1"))
	require.Equal(t, 200, s.notify(class, "order-1"))
	require.Equal(t, 200, s.notify(class, "order-1"))
	require.Equal(t, 200, s.notify(paid, ""))
	require.Equal(t, 400, s.notify("no JSON", ""))
	require.Equal(t, 401, s.notify(paid, "order-2", "Authorization", "Bearer secret"))

	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/_/requests", "", 200},
		{"GET", "/_/requests?since=2&target=exp_1&user=user_2", "", 200},
		{"GET", "/_/requests?since=x", "", 400},
		{"GET", "/_/requests?tagret=biz_1", "", 400},
		{"GET", "/_/requests?user=", "", 400},
		{"GET", "/_/requests/1", "", 200},
		{"GET", "/_/requests/6", "", 200},
		{"GET", "/_/requests/7", "", 404},
		{"GET", "/_/requests/x", "", 400},
		{"GET", "/_/queued", "", 200},
		{"GET", "/_/queued?since=-1", "", 400},
		{"GET", "/_/script", "", 200},
		{"POST", "/_/script", `[{"status": 503}]`, 200},
		{"POST", "/_/script", `[{"status": 200}]`, 400},
		{"GET", "/_/events?progress=1", "", 400},
		{"GET", "/_/openapi.yml", "", 200},
		{"DELETE", "/_/requests", "", 204},
		{"GET", "/_/requests", "", 200},
		{"PUT", "/_/requests", "", 405},
		{"GET", "/_/nothing", "", 404},
		{"HEAD", "/_/requests", "", 200},
		{"HEAD", "/_/events", "", 200},
		{"GET", "/_/requests", "", 200}, // on the same connection
		{"GET", "/_/", "", 404},
	} {
		status, body := s.call(c.method, c.path, c.body)
		assert.Equal(t, c.status, status, "%s %s: %s", c.method, c.path, body)
	}
	for _, path := range s.doc.Paths.InMatchingOrder() {
		for method := range s.doc.Paths.Value(path).Operations() {
			call := strings.ReplaceAll(path, "{id}", "1")
			status, _ := s.call(method, call, "", "Host", "attacker.example:8080")
			assert.Equal(t, 403, status)
			delete(s.seen, "GET /_/events 403")
			ok := s.seen[method+" "+path+" 200"] || s.seen[method+" "+path+" 204"] || path == "/_/events"
			assert.True(t, ok, "%s %s was not called", method, path)
		}
	}
}

func TestRequestsAndQueued(t *testing.T) {
	s := start(t, inbox.Config{})
	s.server.Script(whoptest.Error(503, "", "Busy"))
	for range 3 {
		s.notify(class, "order-1", "X-Key", s.server.APIKey(), "Cookie", "session=1")
	}
	s.notify(paid, "order-2")

	type request struct {
		ID, Status      int
		Queued          bool
		Replayed        bool
		Scripted, Error string
		Body            json.RawMessage
	}
	_, text := s.call("GET", "/_/requests", "")
	all := list[request](t, text)
	require.Len(t, all, 4)
	assert.JSONEq(t, class, string(all[0].Body))
	assert.NotContains(t, text, "<script>")
	for i := range all {
		all[i].Body = nil
	}
	assert.Equal(t, []request{
		{ID: 1, Status: 503, Scripted: "Error 503", Error: "Busy"},
		{ID: 2, Status: 200, Queued: true},
		{ID: 3, Status: 200, Replayed: true},
		{ID: 4, Status: 200, Queued: true},
	}, all)

	_, text = s.call("GET", "/_/queued", "")
	assert.JSONEq(t, `[
		{"id":2,"idempotency_key":"order-1","experience_id":"exp_1","user_ids":["user_1","user_2"],"title":"Class","content":"Room 2","subtitle":"S","rest_path":"/r","icon_user_id":"user_9","attempts":3},
		{"id":4,"idempotency_key":"order-2","company_id":"biz_1","user_ids":null,"title":"<script>","content":"Invoice 7 is paid","subtitle":"","rest_path":"","icon_user_id":"","attempts":1}
	]`, text)

	for query, ids := range map[string][]int{
		"target=biz_1": {4}, "target=exp_1": {1, 2, 3}, "user=user_2": {1, 2, 3}, "user=user": nil,
		"since=2": {3, 4}, "since=1&target=exp_1&user=user_1": {2, 3}, "since=4": nil,
	} {
		_, text := s.call("GET", "/_/requests?"+query, "")
		var got []int
		for _, r := range list[request](t, text) {
			got = append(got, r.ID)
		}
		assert.Equal(t, ids, got, query)
	}

	_, text = s.call("GET", "/_/requests/1", "")
	assert.NotContains(t, text, s.server.APIKey())
	assert.NotContains(t, text, "session=1")
	assert.Contains(t, text, `"Authorization":["Bearer ********"]`)
	var exchange struct {
		Text       string
		AnswerText string `json:"answer_text"`
	}
	require.NoError(t, json.Unmarshal([]byte(text), &exchange))
	assert.Equal(t, class, exchange.Text)
	assert.Contains(t, exchange.AnswerText, "Busy")

	s.call("DELETE", "/_/requests", "")
	_, text = s.call("GET", "/_/queued", "")
	assert.Equal(t, "[]\n", text)
	s.notify(paid, "order-1")
	_, text = s.call("GET", "/_/queued?since=4", "")
	assert.Contains(t, text, `"id":5`)
}

func TestScript(t *testing.T) {
	s := start(t, inbox.Config{})
	_, text := s.call("POST", "/_/script", `[{"status":503},{"status":429,"wait":"2s"},{"status":503,"wait":"500ms"},{"reset":true,"after_queueing":true},
		{"stall":"5s"},{"success":false},{"success":true},{"truncate":true},{"status":422,"code":"verify","message":"Verify first."}]`)
	assert.Equal(t, []string{"Error 503", "RateLimited", "Error 503", "Reset after queueing", "Stall for 5s", "NotQueued", "Serve", "Truncate", "Error 422"}, list[string](t, text))
	assert.Equal(t, 503, s.notify(paid, ""))
	_, text = s.call("GET", "/_/script", "")
	assert.Len(t, list[string](t, text), 8)
	assert.Equal(t, 429, s.notify(paid, ""))
	assert.Contains(t, s.server.Requests()[1].Reason, "in 2 seconds")
	assert.Equal(t, 503, s.notify(paid, ""))
	assert.Equal(t, "0.5", s.server.Requests()[2].AnswerHeader.Get("Retry-After"))

	s.call("DELETE", "/_/requests", "")
	for body, says := range map[string]string{
		`{"status":503}`:                     "a JSON array",
		`null`:                               "a JSON array",
		`[{"status":503},null]`:              "reply 2: null",
		`[{"stauts":503}]`:                   `unknown field \"stauts\"`,
		`[{}]`:                               "give one of",
		`[{"status":503,"reset":true}]`:      "give one of",
		`[{"status":302}]`:                   "302 is not the status of an error",
		`[{"stall":"0s"}]`:                   "stall is a time of up to 1h",
		`[{"stall":"2h"}]`:                   "stall is a time of up to 1h",
		`[{"status":429,"wait":"2"}]`:        "wait is a time",
		`[{"reset":true,"wait":"2s"}]`:       "go with a status",
		"[" + strings.Repeat("{},", 1) + "x": "a JSON array",
		"[" + strings.Repeat(`{"reset":true},`, 1000) + `{"reset":true}]`: "no more than 1000",
		strings.Repeat(" ", 1<<20) + "[]":                                 "over 1048576 bytes",
	} {
		status, text := s.call("POST", "/_/script", body)
		assert.Equal(t, 400, status)
		assert.Contains(t, text, says)
		assert.Empty(t, s.server.Scripted(), "nothing of a wrong script is taken")
	}
}

func TestWhoIsLetIn(t *testing.T) {
	open := start(t, inbox.Config{Host: "dev.internal"})
	closed := start(t, inbox.Config{Key: "inbox-key"})
	for _, c := range []struct {
		name   string
		s      *standIn
		method string
		header []string
		status int
	}{
		{"no browser", open, "DELETE", nil, 204},
		{"localhost", open, "GET", []string{"Host", "LOCALHOST:1"}, 200},
		{"IPv6", open, "GET", []string{"Host", "[::1]:8080"}, 200},
		{"the host of --addr", open, "GET", []string{"Host", "dev.internal"}, 200},
		{"a rebound name", open, "GET", []string{"Host", "attacker.example"}, 403},
		{"a rebound name like localhost", open, "GET", []string{"Host", "localhost.attacker.example:8080"}, 403},
		{"another address", open, "GET", []string{"Host", "192.0.2.1"}, 403},
		{"its own page", open, "DELETE", []string{"Sec-Fetch-Site", "same-origin"}, 204},
		{"a page of another site", open, "DELETE", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page of another port", open, "DELETE", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a page reads", open, "GET", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"an old browser", open, "DELETE", []string{"Origin", "http://attacker.example"}, 403},
		{"a page without an origin", open, "DELETE", []string{"Origin", "null"}, 403},
		{"no key", closed, "GET", nil, 401},
		{"a wrong key", closed, "GET", []string{"Authorization", "Bearer inbox-kez"}, 401},
		{"bearer", closed, "GET", []string{"Authorization", "Bearer inbox-key"}, 200},
		{"basic", closed, "GET", []string{"Authorization", "Basic dTppbmJveC1rZXk="}, 200},
		{"any name", closed, "GET", []string{"Host", "whop:8080", "Authorization", "Bearer inbox-key"}, 200},
		{"a page with the password", closed, "DELETE", []string{"Sec-Fetch-Site", "cross-site", "Authorization", "Basic dTppbmJveC1rZXk="}, 403},
	} {
		status, body := c.s.call(c.method, "/_/requests", "", c.header...)
		assert.Equal(t, c.status, status, "%s: %s", c.name, body)
	}
}

// events reads the data of the next n events, and the ID of the last.
func (s *standIn) events(path string, n int, then func(), header ...string) (data []string, id string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	require.NoError(s.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(r)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	require.Equal(s.t, 200, resp.StatusCode)
	require.Equal(s.t, "text/event-stream", resp.Header.Get("Content-Type"))
	require.Empty(s.t, resp.Header.Get("Access-Control-Allow-Origin"))
	then()
	lines := bufio.NewScanner(resp.Body)
	for len(data) < n && lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), "id: "); found {
			id = value
		}
		if value, found := strings.CutPrefix(lines.Text(), "data: "); found {
			data = append(data, value)
		}
	}
	require.Len(s.t, data, n)
	return data, id
}

func TestEvents(t *testing.T) {
	s := start(t, inbox.Config{})
	nothing := func() {}
	s.notify(paid, "before")
	data, id := s.events("/_/events", 2, func() {
		s.notify(paid, "one")
		s.notify(class, "two")
	})
	assert.Contains(t, data[0], `"idempotency_key":"one"`)
	assert.Contains(t, data[1], `"idempotency_key":"two"`)

	s.notify(paid, "three")
	data, _ = s.events("/_/events", 1, nothing, "Last-Event-ID", id)
	assert.Contains(t, data[0], `"three"`, "what was missed")
	data, _ = s.events("/_/events", 4, nothing, "Last-Event-ID", "OTHER-99")
	assert.Contains(t, data[0], `"before"`, "another process gave the ID")
	data, _ = s.events("/_/events?since=1&target=biz_1", 2, nothing)
	assert.Contains(t, data[0], `"one"`)
	assert.Contains(t, data[1], `"three"`)

	data, _ = s.events("/_/events?progress=true", 3, func() {
		s.server.Forget()
		s.notify(paid, "four")
	})
	assert.Equal(t, "{}", data[1], "after the name of the process")
	assert.Contains(t, data[2], `"id":5,`)
}

func TestReadOnly(t *testing.T) {
	server := whoptest.NewServer(t)
	handler := inbox.New(inbox.Config{Source: server})
	for call, status := range map[string]int{"GET /_/requests": 200, "DELETE /_/requests": 405, "POST /_/script": 404, "GET /api/v1/notifications": 404} {
		method, path, _ := strings.Cut(call, " ")
		answer := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, nil)
		r.Host = "localhost"
		handler.ServeHTTP(answer, r)
		assert.Equal(t, status, answer.Code, call)
	}
}
