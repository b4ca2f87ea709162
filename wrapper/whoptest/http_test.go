package whoptest_test

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const (
	toCompany    = `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`
	toAccount    = `{"account_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`
	toExperience = `{"experience_id":"exp_1","title":"Paid","content":"Invoice 7 is paid"}`
	queuedBody   = `{"success":true}`
)

// exchange is a raw request, made without a client for Whop.
type exchange struct {
	method string // POST if empty
	path   string // under the base URL; /notifications if empty
	body   string
	header http.Header // Authorization and Content-Type are added if absent; "" removes
	pinned string      // the test's argument to SetAPIVersion
}

type answer struct {
	status int
	header http.Header
	body   string
}

// apiError is the documented envelope.
type apiError struct {
	Type    string `json:"type"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Param   string `json:"param"`
}

func (a answer) apiError(t testing.TB) apiError {
	t.Helper()
	var envelope struct {
		Error apiError `json:"error"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &envelope), a.body)
	return envelope.Error
}

// newHTTP returns an http.Client with connections of its own.
func newHTTP(t testing.TB) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (e exchange) request(t testing.TB, server *whoptest.Server) *http.Request {
	t.Helper()
	method, path := e.method, e.path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/notifications"
	}
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL()+path, strings.NewReader(e.body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+server.APIKey())
	r.Header.Set("Content-Type", "application/json")
	for name, values := range e.header {
		r.Header[name] = values
		if values[0] == "" {
			delete(r.Header, name)
		}
	}
	return r
}

// do makes the exchange. It checks the answer against the specification, if that has the
// status.
func (e exchange) do(t testing.TB, server *whoptest.Server) answer {
	t.Helper()
	r := e.request(t, server)
	resp, err := newHTTP(t).Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	a := answer{resp.StatusCode, resp.Header, string(body)}
	if resp.Header.Get("Content-Type") == "application/json" {
		followsSpecification(t, cmp.Or(r.Header.Get("Api-Version-Date"), e.pinned), a)
	}
	return a
}

// fails makes the exchange and wants an error envelope with this status and code.
func (e exchange) fails(t testing.TB, server *whoptest.Server, status int, code string) apiError {
	t.Helper()
	a := e.do(t, server)
	require.Equal(t, status, a.status, a.body)
	found := a.apiError(t)
	assert.Equal(t, code, found.Code, a.body)
	assert.NotEmpty(t, found.Type)
	assert.NotEmpty(t, found.Message)
	return found
}

var (
	vendored = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(whopnotify.Spec) })
	current  = sync.OnceValues(func() (*openapi3.T, error) { return openapi3.NewLoader().LoadFromData(whopnotify.CurrentSpec) })
)

// followsSpecification checks an answer against the specification of a version date. It
// skips what that does not define, except for statuses that both define.
func followsSpecification(t testing.TB, date string, a answer) {
	t.Helper()
	load, success := vendored, 200
	if date > "2026-07-20" && slices.Contains(whoptest.APIVersions(), date) {
		load, success = current, 202
	}
	doc, err := load()
	require.NoError(t, err)
	if a.status/100 == 2 {
		require.Equal(t, success, a.status)
	}
	documented := doc.Paths.Value("/notifications").Post.Responses.Status(a.status)
	if documented == nil {
		require.NotContains(t, []int{400, 401, 403}, a.status)
		return
	}
	var value any
	require.NoError(t, json.Unmarshal([]byte(a.body), &value), a.body)
	schema := documented.Value.Content.Get("application/json").Schema.Value
	require.NoError(t, doc.ValidateSchemaJSON(schema, value), a.body)
	if envelope, failed := value.(map[string]any)["error"].(map[string]any); failed {
		known := schema.Properties["error"].Value.Properties
		for field := range envelope {
			require.Contains(t, known, field, "not in the contract")
		}
	}
}

// header makes a header from pairs of name and value.
func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func keyed(key string) http.Header { return header("Idempotency-Key", key) }

func dated(date string) http.Header { return header("Api-Version-Date", date) }
