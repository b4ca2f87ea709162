package whoptest_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Every request gets an answer that its contract allows. A queued one has exactly one target,
// under the contract's name.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		toCompany, toAccount, toExperience, `{}`, `[]`, `null`, `{"title":`,
		`{"company_id":"biz_1","experience_id":null,"title":"T","content":"C","user_ids":["user_1",2]}`,
		`{"company_id":null,"experience_id":null}`,
		`{"account_id":"biz_1","company_id":"biz_1","title":"T","content":"C"}`,
	} {
		f.Add([]byte(body), "2026-07-20")
		f.Add([]byte(body), "2026-09-25")
	}
	f.Add([]byte(toCompany), "")
	f.Add([]byte(toCompany), "2026-07-20-1")
	server, err := whoptest.New()
	require.NoError(f, err)
	f.Cleanup(server.Close)
	server.SetHistoryLimit(1)

	f.Fuzz(func(t *testing.T, body []byte, date string) {
		r := httptest.NewRequest("POST", "/api/v1/notifications", strings.NewReader(string(body)))
		r.Header.Set("Authorization", "Bearer "+server.APIKey())
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Api-Version-Date", date)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		require.Contains(t, []int{200, 202, 400}, w.Code)
		followsSpecification(t, date, answer{status: w.Code, body: w.Body.String()})
		if w.Code == 400 {
			return
		}
		word, foreign := "company_id", "account_id"
		if w.Code == 202 {
			word, foreign = foreign, word
		}
		var sent map[string]any
		require.NoError(t, json.Unmarshal(body, &sent))
		_, first := sent[word].(string)
		_, second := sent["experience_id"].(string)
		assert.NotEqual(t, first, second, "exactly one target")
		assert.NotContains(t, sent, foreign)
	})
}
