package wrapper_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

// specified is a contract, with what the wrapper calls its two targets.
type specified struct {
	name    string
	spec    []byte
	version string
	company string
}

var (
	vendored = specified{name: "vendored", spec: whopnotify.Spec, version: whop.DefaultAPIVersion, company: "company_id"}
	today    = specified{name: "current", spec: whopnotify.CurrentSpec, version: whop.CurrentAPIVersion, company: "account_id"}
)

// The wrapper says all that the specifications can: a property, status, parameter or
// required field that it does not know must not come in with a regenerated client unseen.
func TestSpecifications(t *testing.T) {
	for _, c := range []specified{vendored, today} {
		t.Run(c.name, func(t *testing.T) {
			assert.Empty(t, c.uncovered(t, c.path(t)))
		})
	}
}

func TestSpecificationMismatch(t *testing.T) {
	change := func(path *openapi3.PathItem, body *openapi3.Schema) {
		body.Properties["sound"] = openapi3.NewSchemaRef("", openapi3.NewStringSchema())
		body.Required = append(body.Required, "subtitle", "sound")
		path.Post.Responses.Set("451", path.Post.Responses.Value("400"))
		path.Post.Responses.Set("default", path.Post.Responses.Value("400"))
		path.Post.Parameters = append(path.Post.Parameters, &openapi3.ParameterRef{Value: openapi3.NewHeaderParameter("Whop-Region")})
	}
	both := []string{
		"experience_id: no notification has the property sound",
		"experience_id: validation does not require subtitle",
		"experience_id: validation does not require sound",
		"no error matches the status 451",
		"no error matches the status default",
		"no request has the parameter Whop-Region",
	}

	path := vendored.path(t)
	change(path, requestBody(path).OneOf[1].Value)
	assert.ElementsMatch(t, both, vendored.uncovered(t, path))
	path = vendored.path(t)
	requestBody(path).OneOf = nil
	assert.Equal(t, []string{"no variant for company_id", "no variant for experience_id"}, vendored.uncovered(t, path))

	path = today.path(t)
	change(path, requestBody(path))
	assert.ElementsMatch(t, append(both,
		"account_id: no notification has the property sound",
		"account_id: validation does not require subtitle",
		"account_id: validation does not require sound",
	), today.uncovered(t, path))
	path = today.path(t)
	delete(requestBody(path).Properties, "account_id")
	assert.Equal(t, []string{"no variant for account_id"}, today.uncovered(t, path))
}

func (c specified) path(t *testing.T) *openapi3.PathItem {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(c.spec)
	require.NoError(t, err)
	path := doc.Paths.Value("/notifications")
	require.NotNil(t, path)
	require.NotNil(t, path.Post)
	return path
}

func requestBody(path *openapi3.PathItem) *openapi3.Schema {
	return path.Post.RequestBody.Value.Content["application/json"].Schema.Value
}

// variant is what one target can and must be sent with, nil if it cannot be addressed. A
// flat body has both targets as properties, of which one excludes the other.
func variant(body *openapi3.Schema, target, other string) *openapi3.Schema {
	for _, v := range body.OneOf {
		if slices.Contains(v.Value.Required, target) {
			return v.Value
		}
	}
	if body.Properties[target] == nil {
		return nil
	}
	properties := maps.Clone(body.Properties)
	delete(properties, other)
	return &openapi3.Schema{Properties: properties, Required: append([]string{target}, body.Required...)}
}

// uncovered lists what the operation has and the wrapper does not.
func (c specified) uncovered(t *testing.T, path *openapi3.PathItem) (gaps []string) {
	t.Helper()
	var sent []*http.Request
	var bodies []string
	client := newClient(t, "https://whop.test", whop.WithAPIVersion(c.version), recording(&sent, &bodies))
	full := whop.Message{Title: "T", Content: "C", Subtitle: "S", RestPath: "/r", IconUserID: "user_1"}
	for _, target := range []struct {
		name, other string
		build       func(string, whop.Message) whop.Notification
	}{
		{name: c.company, other: "experience_id", build: whop.ToCompany},
		{name: "experience_id", other: c.company, build: whop.ToExperience},
	} {
		schema := variant(requestBody(path), target.name, target.other)
		if schema == nil {
			gaps = append(gaps, "no variant for "+target.name)
			continue
		}
		_, err := client.Send(t.Context(), target.build("id", full).OnlyUsers("user_2"))
		require.NoError(t, err)
		var said map[string]any
		require.NoError(t, json.Unmarshal([]byte(bodies[len(bodies)-1]), &said))
		for property := range schema.Properties {
			if _, ok := said[property]; !ok {
				gaps = append(gaps, fmt.Sprintf("%s: no notification has the property %s", target.name, property))
			}
		}
		for property := range said {
			if schema.Properties[property] == nil {
				gaps = append(gaps, fmt.Sprintf("%s: the specification has no property %s", target.name, property))
			}
		}
		checked := fieldsOf(target.build("", whop.Message{}).OnlyUsers().Validate())
		if slices.Contains(checked, "company_id") {
			checked = append(checked, "account_id") // one target, two words
		}
		for _, property := range schema.Required {
			if !slices.Contains(checked, property) {
				gaps = append(gaps, fmt.Sprintf("%s: validation does not require %s", target.name, property))
			}
		}
	}

	sentinels := []error{
		whop.ErrBadRequest, whop.ErrUnauthorized, whop.ErrForbidden, whop.ErrNotFound, whop.ErrConflict,
		whop.ErrVerificationRequired, whop.ErrRateLimited, whop.ErrServer,
	}
	for status := range path.Post.Responses.Map() {
		if strings.HasPrefix(status, "2") {
			continue
		}
		code, _ := strconv.Atoi(status)
		answer := &whop.APIError{StatusCode: code, Header: http.Header{}}
		if !slices.ContainsFunc(sentinels, answer.Is) {
			gaps = append(gaps, "no error matches the status "+status)
		}
	}
	for _, parameter := range slices.Concat(path.Parameters, path.Post.Parameters) {
		name := parameter.Value.Name
		if parameter.Value.In != "header" || !slices.Contains([]string{"Api-Version-Date", "Idempotency-Key"}, name) {
			gaps = append(gaps, "no request has the parameter "+name)
		}
	}
	return gaps
}
