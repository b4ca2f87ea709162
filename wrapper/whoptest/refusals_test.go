package whoptest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func TestBearerAuthentication(t *testing.T) {
	server := whoptest.NewServer(t)
	server.SetAPIKey("key-of-the-company")
	for authorization, status := range map[string]int{
		"":                           401,
		"Bearer":                     401,
		"Bearer ":                    401,
		"Bearer another-key":         401,
		"Bearer key-of-the-company2": 401,
		"Basic key-of-the-company":   401,
		"key-of-the-company":         401,
		"Bearer key-of-the-company":  200,
		"bearer key-of-the-company":  200,
	} {
		a := exchange{body: toCompany, header: header("Authorization", authorization)}.do(t, server)
		assert.Equal(t, status, a.status, "%q", authorization)
		if status == http.StatusUnauthorized {
			assert.Equal(t, "unauthorized", a.apiError(t).Type)
			assert.NotEmpty(t, a.apiError(t).Message)
		}
	}
	assert.Len(t, server.Queued(), 2)
}

func TestBodiesAreCheckedAgainstTheSpecification(t *testing.T) {
	for _, test := range []struct {
		name, body  string
		code, param string // "": it is queued
		says        string
	}{
		{name: "company", body: toCompany},
		{name: "experience", body: toExperience},
		{name: "all fields", body: `{"company_id":"biz_1","title":"T","content":"C","subtitle":"S","rest_path":"/a","icon_user_id":"user_1","user_ids":["user_1"]}`},
		{name: "null for nullable fields", body: `{"company_id":"biz_1","title":"T","content":"C","subtitle":null,"rest_path":null,"icon_user_id":null,"user_ids":null}`},
		{name: "an unknown field", body: `{"company_id":"biz_1","title":"T","content":"C","sound":"ding"}`},
		{name: "the other target as null", body: `{"company_id":"biz_1","experience_id":null,"title":"T","content":"C"}`},

		{name: "no title", body: `{"company_id":"biz_1","content":"C"}`, code: "parameter_missing", param: "title"},
		{name: "no content", body: `{"experience_id":"exp_1","title":"T"}`, code: "parameter_missing", param: "content"},
		{name: "title is a number", body: `{"company_id":"biz_1","title":7,"content":"C"}`, code: "parameter_invalid", param: "title"},
		{name: "title is null", body: `{"company_id":"biz_1","title":null,"content":"C"}`, code: "parameter_invalid", param: "title"},
		{name: "content is null", body: `{"experience_id":"exp_1","title":"T","content":null}`, code: "parameter_invalid", param: "content"},
		{name: "content is an object", body: `{"experience_id":"exp_1","title":"T","content":{}}`, code: "parameter_invalid", param: "content"},
		{name: "subtitle is an array", body: `{"company_id":"biz_1","title":"T","content":"C","subtitle":[]}`, code: "parameter_invalid", param: "subtitle"},
		{name: "rest_path is true", body: `{"company_id":"biz_1","title":"T","content":"C","rest_path":true}`, code: "parameter_invalid", param: "rest_path"},
		{name: "icon_user_id is a number", body: `{"company_id":"biz_1","title":"T","content":"C","icon_user_id":1}`, code: "parameter_invalid", param: "icon_user_id"},
		{name: "user_ids is a string", body: `{"company_id":"biz_1","title":"T","content":"C","user_ids":"user_1"}`, code: "parameter_invalid", param: "user_ids"},
		{name: "a user id is a number", body: `{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1",2]}`, code: "parameter_invalid", param: "user_ids", says: "user_ids.1"},
		{name: "a user id is null", body: `{"experience_id":"exp_1","title":"T","content":"C","user_ids":[null]}`, code: "parameter_invalid", param: "user_ids", says: "user_ids.0"},
		{name: "company_id is null", body: `{"company_id":null,"title":"T","content":"C"}`, code: "parameter_invalid", param: "company_id"},
		{name: "experience_id is a number", body: `{"experience_id":1,"title":"T","content":"C"}`, code: "parameter_invalid", param: "experience_id"},

		{name: "no target", body: `{"title":"T","content":"C"}`, code: "parameter_missing", param: "company_id", says: "experience_id"},
		{name: "nothing", body: `{}`, code: "parameter_missing", param: "company_id"},
		{name: "both targets", body: `{"company_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "company_id", says: "not both"},
		{name: "both targets and no title", body: `{"company_id":"biz_1","experience_id":"exp_1","content":"C"}`, code: "parameter_invalid", param: "company_id", says: "not both"},
		{name: "both targets null", body: `{"company_id":null,"experience_id":null,"title":"T","content":"C"}`, code: "parameter_missing", param: "company_id"},
		{name: "one target, the other null, and no title", body: `{"company_id":"biz_1","experience_id":null,"content":"C"}`, code: "parameter_missing", param: "title"},
		{name: "one target null, the other mistyped", body: `{"company_id":null,"experience_id":1,"title":"T","content":"C"}`, code: "parameter_invalid", param: "experience_id"},

		{name: "empty", body: ``, code: "invalid_json"},
		{name: "cut off", body: `{"company_id":"biz_1"`, code: "invalid_json"},
		{name: "two values", body: toCompany + toCompany, code: "invalid_json"},
		{name: "not JSON", body: `company_id=biz_1&title=T`, code: "invalid_json"},
		{name: "an array", body: `[` + toCompany + `]`, code: "parameter_invalid", says: "object"},
		{name: "null", body: `null`, code: "parameter_invalid", says: "object"},
		{name: "a string", body: `"biz_1"`, code: "parameter_invalid", says: "object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			if test.code == "" {
				a := exchange{body: test.body}.do(t, server)
				assert.Equal(t, 200, a.status, a.body)
				assert.Equal(t, queuedBody, a.body)
				assert.Len(t, server.Queued(), 1)
				return
			}
			for range 5 { // the first fault is the same every time
				found := exchange{body: test.body}.fails(t, server, 400, test.code)
				assert.Equal(t, "invalid_request_error", found.Type)
				assert.Equal(t, test.param, found.Param)
				assert.Contains(t, found.Message, test.says)
			}
			assert.Empty(t, server.Queued())
		})
	}
}

func TestOtherContentTypesAreRefused(t *testing.T) {
	server := whoptest.NewServer(t)
	for contentType, status := range map[string]int{
		"application/json":                200,
		"application/json; charset=utf-8": 200,
		"text/plain":                      400,
		"":                                400,
	} {
		a := exchange{body: toCompany, header: header("Content-Type", contentType)}.do(t, server)
		assert.Equal(t, status, a.status, "%q", contentType)
		if status == http.StatusBadRequest {
			assert.Equal(t, "Content-Type", a.apiError(t).Param)
		}
	}
	assert.Len(t, server.Queued(), 2)
}

func TestElsewhere(t *testing.T) {
	server := whoptest.NewServer(t)
	for _, path := range []string{"/", "/notification", "/notifications/", "/notifications/1", "/payments"} {
		exchange{path: path, body: toCompany}.fails(t, server, 404, "")
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		exchange{method: method, body: toCompany}.fails(t, server, 405, "")
	}
	assert.Empty(t, server.Queued())
	assert.Len(t, server.Requests(), 9)
}

func TestAbsurdBodiesAreRefused(t *testing.T) {
	server := whoptest.NewServer(t)
	exchange{body: toCompany + strings.Repeat(" ", 32<<20)}.fails(t, server, 413, "")
	assert.Empty(t, server.Queued())

	large := exchange{body: toCompany + strings.Repeat(" ", 8<<20)}.do(t, server)
	assert.Equal(t, 200, large.status, "large is not absurd")
}

func TestVersionHeader(t *testing.T) {
	server := whoptest.NewServer(t)
	for _, date := range []string{"", "2025-01-01", "2026-07-20"} {
		a := exchange{body: toCompany, header: header("Api-Version-Date", date)}.do(t, server)
		assert.Equal(t, 200, a.status, "%q", date)
	}
	for _, date := range []string{"2026-07-21", "2026-09-25", "latest", "20260720"} {
		found := exchange{body: toCompany, header: header("Api-Version-Date", date)}.fails(t, server, 400, "parameter_invalid")
		assert.Contains(t, found.Message, "2025-01-01")
		assert.Contains(t, found.Message, "2026-07-20")
	}
	assert.Len(t, server.Queued(), 3)
}

func TestRequestsAreTakenDown(t *testing.T) {
	server := whoptest.NewServer(t)
	exchange{path: "/notifications?source=cron", body: toCompany, header: keyed("order-1")}.do(t, server)
	exchange{body: `{}`}.do(t, server)
	exchange{path: "/payments", method: http.MethodGet}.do(t, server)
	exchange{body: toExperience, header: header("Authorization", "Bearer wrong")}.do(t, server)

	requests := server.Requests()
	require.Len(t, requests, 4)
	first := requests[0]
	assert.Equal(t, http.MethodPost, first.Method)
	assert.Equal(t, "/api/v1/notifications", first.Path)
	assert.Equal(t, "source=cron", first.Query)
	assert.Equal(t, "order-1", first.IdempotencyKey)
	assert.Equal(t, toCompany, string(first.Body))
	assert.Equal(t, "application/json", first.Header.Get("Content-Type"))
	assert.False(t, first.Time.IsZero())
	for i, status := range []int{200, 400, 404, 401} {
		assert.Equal(t, status, requests[i].Status)
	}
	assert.Equal(t, `{}`, string(requests[1].Body))
	assert.Nil(t, requests[3].Body, "not read")

	queued := server.Queued()
	require.Len(t, queued, 1)
	assert.Equal(t, first, queued[0])

	requests[0].Method = "changed"
	assert.Equal(t, http.MethodPost, server.Requests()[0].Method, "the caller's copy is its own")
}
