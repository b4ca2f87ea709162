package current_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify"
	"github.com/whopnotify/whopnotify/gen/current"
)

// A request schema that loses its name in the overlay can lose its MarshalJSON too, and
// the typed call then sends {} without an error.
func TestTypedCallSendsTheWholeBody(t *testing.T) {
	for _, test := range []struct {
		name   string
		body   current.Notification
		params *current.SendNotificationParams
		wire   string
		key    string
		date   string
	}{
		{
			name: "account",
			body: current.Notification{AccountID: new("biz_1"), Title: "T", Content: "C"},
			wire: `{"account_id":"biz_1","title":"T","content":"C"}`,
		},
		{
			name: "experience, all fields, both headers",
			body: current.Notification{
				ExperienceID: new("exp_1"), Title: "T", Content: "C", Subtitle: new("S"),
				RestPath: new("/settings"), IconUserID: new("user_2"), UserIDs: &[]string{"user_1"},
			},
			params: &current.SendNotificationParams{IdempotencyKey: new("order-1"), APIVersionDate: new("2026-09-25")},
			wire: `{"experience_id":"exp_1","title":"T","content":"C","subtitle":"S",
				"rest_path":"/settings","icon_user_id":"user_2","user_ids":["user_1"]}`,
			key:  "order-1",
			date: "2026-09-25",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				assert.NoError(t, err)
				assert.JSONEq(t, test.wire, string(body))
				assert.Equal(t, "POST /api/v1/notifications", r.Method+" "+r.URL.Path)
				assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				assert.Equal(t, test.key, r.Header.Get("Idempotency-Key"))
				assert.Equal(t, test.date, r.Header.Get("Api-Version-Date"))
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"success":true}`)
			}))
			defer server.Close()
			client, err := current.NewClientWithResponses(server.URL + "/api/v1")
			require.NoError(t, err)
			answer, err := client.SendNotificationWithResponse(t.Context(), test.params, test.body)
			require.NoError(t, err)
			assert.Equal(t, &current.SuccessResponse{Success: true}, answer.JSON202)
		})
	}
}

// One pair of types reads the error of every status.
func TestErrorsAreOfOneType(t *testing.T) {
	for _, status := range []int{400, 401, 403, 409} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, `{"error":{"type":"bad_request","message":"account_id is required"}}`)
		}))
		client, err := current.NewClientWithResponses(server.URL)
		require.NoError(t, err)
		answer, err := client.SendNotificationWithResponse(t.Context(), nil, current.Notification{})
		server.Close()
		require.NoError(t, err)
		var read []*current.ErrorResponse
		for _, r := range []*current.ErrorResponse{answer.JSON400, answer.JSON401, answer.JSON403, answer.JSON409} {
			if r != nil {
				read = append(read, r)
			}
		}
		want := &current.ErrorResponse{Error: current.Error{Type: "bad_request", Message: "account_id is required"}}
		assert.Equal(t, []*current.ErrorResponse{want}, read, status)
	}
}

// "Exactly one target" stands in two descriptions and nowhere else. Package wrapper and
// whoptest enforce it by hand: where the words change, or a schema takes their place,
// look at both.
func TestOneTargetIsRequiredInWordsAlone(t *testing.T) {
	spec, err := openapi3.NewLoader().LoadFromData(whopnotify.CurrentSpec)
	require.NoError(t, err)
	body := spec.Paths.Find("/notifications").Post.RequestBody.Value.Content.Get("application/json").Schema.Value
	for _, target := range []string{"account_id", "experience_id"} {
		require.Contains(t, body.Properties, target)
		assert.Contains(t, body.Properties[target].Value.Description, "Exactly one of `experience_id` or `account_id` is required.")
	}
	assert.ElementsMatch(t, []string{"title", "content"}, body.Required)
	for _, sent := range []map[string]any{
		{"title": "T", "content": "C"},
		{"title": "T", "content": "C", "account_id": "biz_1", "experience_id": "exp_1"},
	} {
		require.NoError(t, spec.ValidateSchemaJSON(body, sent))
	}
}
