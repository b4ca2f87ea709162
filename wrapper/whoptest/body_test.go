package whoptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// bodyRow is a body and what is wrong with it.
type bodyRow struct {
	name  string
	body  string
	code  string // "" if it is queued
	param string // the parameter to blame
	says  string // in the message
}

func TestVendoredBodies(t *testing.T) {
	for _, row := range []bodyRow{
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
		{name: "account_id", body: toAccount, code: "parameter_invalid", param: "account_id", says: "company_id"},
		{name: "account_id is null", body: `{"account_id":null,"company_id":"biz_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "account_id"},
		{name: "account_id and company_id", body: `{"account_id":"biz_1","company_id":"biz_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "account_id"},
		{name: "account_id and experience_id", body: `{"account_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "account_id"},
		{name: "one target null, the other mistyped", body: `{"company_id":null,"experience_id":1,"title":"T","content":"C"}`, code: "parameter_invalid", param: "experience_id"},

		{name: "empty", body: ``, code: "invalid_json"},
		{name: "cut off", body: `{"company_id":"biz_1"`, code: "invalid_json"},
		{name: "two values", body: toCompany + toCompany, code: "invalid_json"},
		{name: "not JSON", body: `company_id=biz_1&title=T`, code: "invalid_json"},
		{name: "an array", body: `[` + toCompany + `]`, code: "parameter_invalid", says: "object"},
		{name: "null", body: `null`, code: "parameter_invalid", says: "object"},
		{name: "a string", body: `"biz_1"`, code: "parameter_invalid", says: "object"},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			if row.code == "" {
				a := exchange{body: row.body}.do(t, server)
				assert.Equal(t, 200, a.status, a.body)
				assert.Equal(t, queuedBody, a.body)
				assert.Len(t, server.Queued(), 1)
				return
			}
			for range 5 { // the first fault is the same every time
				found := exchange{body: row.body}.fails(t, server, 400, row.code)
				assert.Equal(t, "invalid_request_error", found.Type)
				assert.Equal(t, row.param, found.Param)
				assert.Contains(t, found.Message, row.says)
			}
			assert.Empty(t, server.Queued())
		})
	}
}

func TestCurrentBodies(t *testing.T) {
	for _, row := range []bodyRow{
		{name: "account", body: toAccount},
		{name: "experience", body: toExperience},
		{name: "all fields", body: `{"account_id":"biz_1","title":"T","content":"C","subtitle":"S","rest_path":"?id=1","icon_user_id":"user_1","user_ids":["user_1"]}`},
		{name: "null for nullable fields", body: `{"account_id":"biz_1","title":"T","content":"C","subtitle":null,"rest_path":null,"icon_user_id":null}`},
		{name: "an unknown field", body: `{"account_id":"biz_1","title":"T","content":"C","sound":"ding"}`},

		{name: "no title", body: `{"account_id":"biz_1","content":"C"}`, code: "parameter_missing", param: "title"},
		{name: "no content", body: `{"experience_id":"exp_1","title":"T"}`, code: "parameter_missing", param: "content"},
		{name: "title is null", body: `{"account_id":"biz_1","title":null,"content":"C"}`, code: "parameter_invalid", param: "title"},
		{name: "rest_path is true", body: `{"account_id":"biz_1","title":"T","content":"C","rest_path":true}`, code: "parameter_invalid", param: "rest_path"},
		{name: "user_ids is null", body: `{"account_id":"biz_1","title":"T","content":"C","user_ids":null}`, code: "parameter_invalid", param: "user_ids"},
		{name: "a user id is a number", body: `{"account_id":"biz_1","title":"T","content":"C","user_ids":["user_1",2]}`, code: "parameter_invalid", param: "user_ids.1"},
		{name: "account_id is null", body: `{"account_id":null,"title":"T","content":"C"}`, code: "parameter_invalid", param: "account_id"},
		{name: "experience_id is a number", body: `{"experience_id":1,"title":"T","content":"C"}`, code: "parameter_invalid", param: "experience_id"},
		{name: "the other target as null", body: `{"account_id":"biz_1","experience_id":null,"title":"T","content":"C"}`, code: "parameter_invalid", param: "experience_id"},

		{name: "no target", body: `{"title":"T","content":"C"}`, code: "parameter_missing", param: "account_id", says: "experience_id"},
		{name: "both targets", body: `{"account_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "account_id", says: "not both"},
		{name: "both targets null", body: `{"account_id":null,"experience_id":null,"title":"T","content":"C"}`, code: "parameter_missing", param: "account_id"},
		{name: "company_id", body: toCompany, code: "parameter_invalid", param: "company_id", says: "account_id"},
		{name: "company_id is null", body: `{"company_id":null,"account_id":"biz_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "company_id"},
		{name: "company_id and account_id", body: `{"company_id":"biz_1","account_id":"biz_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "company_id"},
		{name: "company_id and experience_id", body: `{"company_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`, code: "parameter_invalid", param: "company_id"},

		{name: "empty", body: ``, code: "invalid_json"},
		{name: "an array", body: `[` + toAccount + `]`, code: "parameter_invalid", says: "object"},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			if row.code == "" {
				a := exchange{body: row.body, header: dated("2026-09-25")}.do(t, server)
				assert.Equal(t, 202, a.status, a.body)
				assert.Equal(t, queuedBody, a.body)
				assert.Len(t, server.Queued(), 1)
				return
			}
			for range 5 { // the first fault is the same every time
				found := exchange{body: row.body, header: dated("2026-09-25")}.fails(t, server, 400, row.code)
				assert.Equal(t, "bad_request", found.Type)
				assert.Contains(t, found.Message, row.param, "the contract has no field for it")
				assert.Contains(t, found.Message, row.says)
			}
			assert.Empty(t, server.Queued())
		})
	}
}
