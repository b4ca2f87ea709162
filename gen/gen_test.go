package gen_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen"
)

// One Go type stands for the schemas of all error statuses, so these have to be equal.
func TestErrorSchemasAreEqual(t *testing.T) {
	for _, c := range contracts {
		t.Run(c.name, func(t *testing.T) {
			spec, err := openapi3.NewLoader().LoadFromData(read(t, c.spec))
			require.NoError(t, err)
			schema := func(response *openapi3.ResponseRef) string {
				data, err := response.Value.Content.Get("application/json").Schema.Value.MarshalJSON()
				require.NoError(t, err)
				return string(data)
			}
			responses := spec.Paths.Find("/notifications").Post.Responses
			want := schema(responses.Value("400"))
			require.Contains(t, want, "message")
			var errors []string
			for status, response := range responses.Map() {
				if status >= "400" {
					errors = append(errors, status)
					assert.JSONEq(t, want, schema(response), status)
				}
			}
			assert.ElementsMatch(t, c.errors, errors)
		})
	}
}

// A request schema without a name of its own becomes a type that has lost its
// MarshalJSON, and the typed call sends {} without an error.
func TestTypedCallSendsTheWholeBody(t *testing.T) {
	var company, experience gen.CreateNotificationJSONRequestBody
	require.NoError(t, company.FromCreateNotificationJSONBody0(gen.CompanyNotification{
		CompanyID: "biz_1", Title: "T", Content: "C", UserIDs: &[]string{"user_1"},
	}))
	require.NoError(t, experience.FromCreateNotificationJSONBody1(gen.ExperienceNotification{
		ExperienceID: "exp_1", Title: "T", Content: "C", RestPath: new("/settings"),
	}))
	for want, body := range map[string]gen.CreateNotificationJSONRequestBody{
		`{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1"]}`:      company,
		`{"experience_id":"exp_1","title":"T","content":"C","rest_path":"/settings"}`: experience,
	} {
		sent := make(chan *http.Request, 1)
		bodies := make(chan string, 1)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			data, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			sent <- r
			bodies <- string(data)
		}))
		defer server.Close()
		client, err := gen.NewClient(server.URL + "/api/v1")
		require.NoError(t, err)
		resp, err := client.CreateNotification(t.Context(), body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		r := <-sent
		assert.Equal(t, "POST /api/v1/notifications", r.Method+" "+r.URL.Path)
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.JSONEq(t, want, <-bodies)
	}
}
