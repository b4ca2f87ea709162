package wrapper_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// FuzzNotificationJSON: what is decoded is sent as it was meant. A narrowed audience
// stays narrowed, one target stays that target, and garbage becomes no broadcast.
func FuzzNotificationJSON(f *testing.F) {
	for _, seed := range []string{
		toCompanyBody,
		`{"experience_id":"exp_1","title":"T","content":"C","subtitle":"S","rest_path":"/a?b=c","icon_user_id":"user_1","user_ids":["user_1","user_2"]}`,
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":[]}`,
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":null}`,
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":[null]}`,
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1"],"user_ids":null}`,
		`{"company_id":"biz_1","title":"T","content":"C","User_IDs":["user_1"]}`,
		`{"company_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`,
		`{"company_id":null,"experience_id":"exp_1","title":"T","content":"C"}`,
		`{"company_id":"biz_1","title":"\ud800","content":"\u2028<&>"}`,
		"{\"company_id\":\"biz_1\",\"title\":\"\xff\",\"content\":\"C\"}",
		`null`, `[]`, `""`, `{`, ``, `{}`, `{}{}`, `{"company_id":"biz_1"}trailing`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var n whop.Notification
		err := n.UnmarshalJSON(raw)
		if err != nil {
			assert.Equal(t, whop.Notification{}, n, "on an error it stays as it was")
			assert.ErrorIs(t, err, whop.ErrInvalidNotification)
			return
		}
		var meant map[string]any
		require.NoError(t, json.Unmarshal(raw, &meant), "garbage was decoded")
		out, err := n.MarshalJSON()
		if n.Validate() != nil {
			assert.Error(t, err)
			return
		}
		require.NoError(t, err)
		var sent map[string]any
		require.NoError(t, json.Unmarshal(out, &sent))
		for name, value := range meant {
			if value == nil || value == "" {
				delete(meant, name) // counts as absent
			}
		}
		assert.Equal(t, meant, sent)

		var again whop.Notification
		require.NoError(t, again.UnmarshalJSON(out))
		assert.Equal(t, n, again)
	})
}

// FuzzNewClient: no configuration makes it panic or repeat a secret, and what it takes
// is sent where it says.
func FuzzNewClient(f *testing.F) {
	for _, base := range []string{
		"https://api.whop.com/api/v1", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:80/x/", "https://whop.test:0", "http://whop.test",
		"https://", "://", "", "ftp://whop.test", "https://%zz", "https://a b", "https://whop.test/?a=b", "https://whop.test/#", "https://[::1", "https://whop.test/%2f/../a",
	} {
		f.Add(base, "key")
		f.Add(base, "k\x00y\n")
	}
	f.Fuzz(func(t *testing.T, base, key string) {
		const secret, password = "apik_5ecret5ecret", "pa55word5pa55word"
		key = secret + key
		if client, err := whop.NewClient(whop.WithAPIKey(key), whop.WithBaseURL(withPassword(base, password))); err != nil {
			assert.NotContains(t, err.Error(), secret)
			assert.NotContains(t, err.Error(), password)
		} else {
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", client, client, client, client), secret)
		}

		var sent *http.Request
		client, err := whop.NewClient(whop.WithAPIKey(key), whop.WithBaseURL(base), whop.WithLimiter(nil),
			inMemory(func(r *http.Request) (*http.Response, error) {
				sent = r
				return nil, errors.New("boom: " + r.Header.Get("Authorization"))
			}),
			whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1}))
		if err != nil {
			assert.NotContains(t, err.Error(), secret)
			return
		}
		_, err = client.Send(t.Context(), paid)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), key)
		require.NotNil(t, sent)
		assert.Equal(t, http.MethodPost, sent.Method)
		assert.True(t, strings.HasSuffix(sent.URL.Path, "/notifications"), "%s", sent.URL)
		assert.Contains(t, []string{"http", "https"}, sent.URL.Scheme)
		assert.NotEmpty(t, sent.URL.Hostname())
	})
}

// withPassword puts credentials into a URL where it can have them.
func withPassword(base, password string) string {
	scheme, rest, found := strings.Cut(base, "://")
	if !found {
		return base
	}
	return scheme + "://user:" + password + "@" + rest
}
