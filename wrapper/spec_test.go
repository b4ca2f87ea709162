package wrapper_test

import (
	"encoding/json"
	"fmt"
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

// The wrapper says all that the specification can: a property, status or required field
// that it does not know must not come in with a regenerated client unseen.
func TestWrapperFollowsTheSpecification(t *testing.T) {
	assert.Empty(t, uncovered(t, operation(t)))
}

func TestWrapperNotFollowingIsNoticed(t *testing.T) {
	op := operation(t)
	variant := op.RequestBody.Value.Content["application/json"].Schema.Value.OneOf[1].Value
	variant.Properties["sound"] = openapi3.NewSchemaRef("", openapi3.NewStringSchema())
	variant.Required = append(variant.Required, "subtitle", "sound")
	op.Responses.Set("451", op.Responses.Value("400"))
	op.Responses.Set("default", op.Responses.Value("400"))
	assert.ElementsMatch(t, []string{
		"experience_id: no notification has the property sound",
		"experience_id: validation does not require subtitle",
		"experience_id: validation does not require sound",
		"no error matches the status 451",
		"no error matches the status default",
	}, uncovered(t, op))

	op = operation(t)
	op.RequestBody.Value.Content["application/json"].Schema.Value.OneOf = nil
	assert.Equal(t, []string{"the request is no longer one of two variants"}, uncovered(t, op))
}

func operation(t *testing.T) *openapi3.Operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(whopnotify.Spec)
	require.NoError(t, err)
	path := doc.Paths.Value("/notifications")
	require.NotNil(t, path)
	require.NotNil(t, path.Post)
	return path.Post
}

// uncovered lists what the operation has and the wrapper does not.
func uncovered(t *testing.T, op *openapi3.Operation) (gaps []string) {
	t.Helper()
	variants := op.RequestBody.Value.Content["application/json"].Schema.Value.OneOf
	if len(variants) != 2 {
		return []string{"the request is no longer one of two variants"}
	}
	full := whop.Message{Title: "T", Content: "C", Subtitle: "S", RestPath: "/r", IconUserID: "user_1"}
	for target, build := range map[string]func(string, whop.Message) whop.Notification{
		"company_id": whop.ToCompany, "experience_id": whop.ToExperience,
	} {
		i := slices.IndexFunc(variants, func(v *openapi3.SchemaRef) bool { return slices.Contains(v.Value.Required, target) })
		if i < 0 {
			gaps = append(gaps, "no variant requires "+target)
			continue
		}
		var said map[string]any
		body, err := build("id", full).OnlyUsers("user_2").MarshalJSON()
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(body, &said))
		for property := range variants[i].Value.Properties {
			if _, ok := said[property]; !ok {
				gaps = append(gaps, fmt.Sprintf("%s: no notification has the property %s", target, property))
			}
		}
		for property := range said {
			if variants[i].Value.Properties[property] == nil {
				gaps = append(gaps, fmt.Sprintf("%s: the specification has no property %s", target, property))
			}
		}
		checked := fieldsOf(build("", whop.Message{}).OnlyUsers().Validate())
		for _, property := range variants[i].Value.Required {
			if !slices.Contains(checked, property) {
				gaps = append(gaps, fmt.Sprintf("%s: validation does not require %s", target, property))
			}
		}
	}

	sentinels := []error{
		whop.ErrBadRequest, whop.ErrUnauthorized, whop.ErrForbidden, whop.ErrNotFound, whop.ErrConflict,
		whop.ErrVerificationRequired, whop.ErrRateLimited, whop.ErrServer,
	}
	for status := range op.Responses.Map() {
		if strings.HasPrefix(status, "2") {
			continue
		}
		code, _ := strconv.Atoi(status)
		answer := &whop.APIError{StatusCode: code, Header: http.Header{}}
		if !slices.ContainsFunc(sentinels, answer.Is) {
			gaps = append(gaps, "no error matches the status "+status)
		}
	}
	return gaps
}
