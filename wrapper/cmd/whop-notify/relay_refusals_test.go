package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestRelayRefuses(t *testing.T) {
	t.Parallel()
	server := whoptest.NewServer(t)
	p, base := relay(t, environment(server), "--state", filepath.Join(t.TempDir(), "relay"), "--no-broadcast")
	narrowed := `{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1"]}`
	with := func(name, value string) map[string]string { return map[string]string{name: value} }
	dated := with("Api-Version-Date", current)
	for _, test := range []struct {
		name    string
		request request
		status  int
		kind    string
		code    string
		param   string
		header  [2]string // one that the answer has
	}{
		{name: "no key", request: request{body: narrowed, header: with("Authorization", "")}, status: 401, kind: "unauthorized", header: [2]string{"Www-Authenticate", "Bearer"}},
		{name: "Whop's key", request: request{body: narrowed, header: with("Authorization", "Bearer "+server.APIKey())}, status: 401, kind: "unauthorized"},
		{name: "another scheme", request: request{body: narrowed, header: with("Authorization", "Basic "+relayKey)}, status: 401, kind: "unauthorized"},
		{name: "GET without key", request: request{method: "GET", path: "/notifications/k", header: with("Authorization", "")}, status: 401, kind: "unauthorized"},
		{name: "path", request: request{path: "/notification", body: narrowed}, status: 404, kind: "not_found"},
		{name: "path that only begins so", request: request{path: "/notificationsx", body: narrowed}, status: 404, kind: "not_found"},
		{name: "no key in the path", request: request{method: "GET", path: "/notifications/"}, status: 404, kind: "not_found"},
		{name: "key that nobody can have", request: request{method: "GET", path: "/notifications/a%0Ab"}, status: 404, kind: "not_found", param: "idempotency_key"},
		{name: "GET", request: request{method: "GET"}, status: 405, kind: "method_not_allowed", header: [2]string{"Allow", "POST"}},
		{name: "DELETE of a key", request: request{method: "DELETE", path: "/notifications/k"}, status: 405, kind: "method_not_allowed", header: [2]string{"Allow", "GET"}},
		{name: "no media type", request: request{body: narrowed, header: with("Content-Type", "")}, status: 415, kind: "unsupported_media_type", param: "Content-Type"},
		{name: "a form", request: request{body: narrowed, header: with("Content-Type", "application/x-www-form-urlencoded")}, status: 415, kind: "unsupported_media_type", param: "Content-Type"},
		{name: "another charset", request: request{body: narrowed, header: with("Content-Type", "application/json; charset=latin1")}, status: 415, kind: "unsupported_media_type", param: "Content-Type"},
		{name: "compressed", request: request{body: narrowed, header: with("Content-Encoding", "gzip")}, status: 415, kind: "unsupported_media_type", param: "Content-Encoding"},
		{name: "too large", request: request{body: strings.Repeat(" ", 8<<20) + narrowed}, status: 413, kind: "request_entity_too_large"},
		{name: "too large for the queue", request: request{body: `{"company_id":"biz_1","title":"T","user_ids":["u"],"content":"` + strings.Repeat("x", 8<<20-200) + `"}`}, status: 413, kind: "request_entity_too_large"},
		{name: "date", request: request{body: narrowed, header: with("Api-Version-Date", "yesterday")}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "Api-Version-Date"},
		{name: "date that does not exist", request: request{body: narrowed, header: with("Api-Version-Date", "2026-02-30")}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "Api-Version-Date"},
		{name: "long idempotency key", request: request{body: narrowed, header: with("Idempotency-Key", strings.Repeat("k", 256))}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "Idempotency-Key"},
		{name: "no JSON", request: request{body: `{`}, status: 400, kind: "invalid_request_error", code: "invalid_json"},
		{name: "no body", status: 400, kind: "invalid_request_error", code: "invalid_json"},
		{name: "no object", request: request{body: `[]`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid"},
		{name: "null", request: request{body: `null`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid"},
		{name: "no target", request: request{body: `{"title":"T","content":"C"}`}, status: 400, kind: "invalid_request_error", code: "parameter_missing", param: "company_id"},
		{name: "no target, current", request: request{body: `{"title":"T","content":"C"}`, header: dated}, status: 400, kind: "bad_request", code: "parameter_missing", param: "account_id"},
		{name: "target null", request: request{body: `{"experience_id":null,"title":"T","content":"C"}`}, status: 400, kind: "invalid_request_error", code: "parameter_missing", param: "experience_id"},
		{name: "two targets", request: request{body: `{"company_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "company_id"},
		{name: "two targets, current", request: request{body: `{"account_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`, header: dated}, status: 400, kind: "bad_request", code: "parameter_invalid", param: "account_id"},
		{name: "the current field", request: request{body: toAccount}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "account_id"},
		{name: "the vendored field", request: request{body: toCompany, header: dated}, status: 400, kind: "bad_request", code: "parameter_invalid", param: "company_id"},
		{name: "target of another kind, current", request: request{body: `{"account_id":"exp_1","title":"T","content":"C"}`, header: dated}, status: 400, kind: "bad_request", code: "parameter_invalid", param: "account_id"},
		{name: "target of another type", request: request{body: `{"company_id":7,"title":"T","content":"C"}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "company_id"},
		{name: "no title", request: request{body: `{"company_id":"biz_1","content":"C"}`}, status: 400, kind: "invalid_request_error", code: "parameter_missing", param: "title"},
		{name: "blank content", request: request{body: `{"company_id":"biz_1","title":"T","content":" "}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "content"},
		{name: "unknown field", request: request{body: `{"company_id":"biz_1","title":"T","content":"C","userIds":["u"]}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "userIds"},
		{name: "repeated field", request: request{body: `{"company_id":"biz_1","title":"T","title":"U","content":"C"}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "title"},
		{name: "users null", request: request{body: `{"company_id":"biz_1","title":"T","content":"C","user_ids":null}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "user_ids"},
		{name: "users empty", request: request{body: `{"company_id":"biz_1","title":"T","content":"C","user_ids":[]}`}, status: 400, kind: "invalid_request_error", code: "parameter_invalid", param: "user_ids"},
		{name: "everybody", request: request{body: toCompany}, status: 400, kind: "invalid_request_error", code: "parameter_missing", param: "user_ids"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := ask(t, base, test.request)
			require.Equal(t, test.status, a.status, a.body)
			require.Equal(t, "application/json", a.header.Get("Content-Type"))
			var got struct {
				Error struct{ Type, Code, Message, Param string }
			}
			require.NoError(t, json.Unmarshal([]byte(a.body), &got), a.body)
			require.Equal(t, test.kind, got.Error.Type)
			require.Equal(t, test.code, got.Error.Code)
			require.Equal(t, test.param, got.Error.Param)
			require.NotEmpty(t, got.Error.Message)
			if test.header[0] != "" {
				require.Equal(t, test.header[1], a.header.Get(test.header[0]))
			}
		})
	}
	require.Equal(t, 200, ask(t, base, request{body: narrowed}).status)
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.finish().code)
	require.LessOrEqual(t, len(server.Requests()), 1)
}

func TestRelayFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	require.NoError(t, os.WriteFile(short, []byte("fifteen-bytes-1\n"), 0o600))
	ofBatch := filepath.Join(dir, "batch")
	require.NoError(t, os.Mkdir(ofBatch, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(ofBatch, "batch.json"), nil, 0o600))
	state := "--state=" + filepath.Join(dir, "state")
	withKey := []string{"WHOP_API_KEY=secret-key-of-whop"}
	for _, test := range []struct {
		name string
		env  []string
		args string
		code int
		says string
	}{
		{"no queue", withKey, "", 2, "--state DIR or a NATS server is required"},
		{"two queues", withKey, state + " --nats=nats://127.0.0.1:1", 2, "--state and --nats exclude each other"},
		{"nobody sends", withKey, state + " --no-work", 2, "--no-work needs --nats"},
		{"name of a state's queue", withKey, state + " --queue=q", 2, "--queue is for --nats, not --state"},
		{"no key of Whop", nil, state, 2, "no API key"},
		{"short key", withKey, state + " --relay-key-file=" + short, 2, "--relay-key-file: the key has 15 bytes, under 16"},
		{"no key file", withKey, state + " --relay-key-file=" + dir + "/none", 2, "--relay-key-file takes the name of a file"},
		{"all interfaces", withKey, state + " --addr=0.0.0.0:0", 2, "is not a loopback address: give --tls-cert and --tls-key, or --insecure-http"},
		{"all interfaces, short", withKey, state + " --addr=:0", 2, "is not a loopback address"},
		{"no port", withKey, state + " --addr=127.0.0.1", 2, "is not HOST:PORT"},
		{"port", withKey, state + " --addr=127.0.0.1:99999", 2, "invalid port"},
		{"half a certificate", withKey, state + " --tls-cert=c", 2, "--tls-cert and --tls-key go together"},
		{"no certificate", withKey, state + " --tls-cert=" + dir + "/c --tls-key=" + dir + "/k", 2, "no such file"},
		{"directory of a batch", withKey, "--addr=127.0.0.1:0 --state=" + ofBatch, 2, "is the directory of a batch"},
		{"hook without secret", withKey, state + " --on-dead=https://example.com", 2, "--on-dead and --on-dead-secret-file go together"},
		{"hook that is no URL", withKey, state + " --on-dead=example.com --on-dead-secret-file=" + short, 2, "--on-dead is not an http or https URL"},
		{"hook with a password", withKey, state + " --on-dead=https://u:p@example.com --on-dead-secret-file=" + short, 2, "--on-dead has credentials in it"},
		{"hook by http", withKey, state + " --on-dead=http://example.com --on-dead-secret-file=" + short, 2, "use https, or --insecure-http"},
		{"hook with a short secret", withKey, state + " --on-dead=https://example.com --on-dead-secret-file=" + short, 2, "the secret has 15 bytes, under 16"},
		{"NATS away", nil, "--addr=127.0.0.1:0 --no-work --nats=nats://127.0.0.1:1", 1, "cannot be reached"},
		{"argument", withKey, "now", 2, `unexpected argument "now"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := execute(t, test.env, append([]string{"relay"}, strings.Fields(test.args)...)...)
			require.Equal(t, test.code, f.code, f.stderr)
			require.Contains(t, f.stderr, test.says)
			require.Empty(t, f.stdout)
		})
	}
}
