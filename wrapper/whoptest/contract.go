package whoptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/whopnotify/whopnotify"
)

// contract checks request bodies against the vendored specification.
type contract struct {
	doc    *openapi3.T
	schema *openapi3.Schema
}

// loadContract reads the specification once for all servers.
var loadContract = sync.OnceValues(func() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(whopnotify.Spec)
	if err != nil {
		return nil, fmt.Errorf("the vendored specification: %w", err)
	}
	path := doc.Paths.Value("/notifications")
	if path == nil || path.Post == nil || path.Post.RequestBody == nil {
		return nil, errors.New("the vendored specification has no POST /notifications with a body")
	}
	media := path.Post.RequestBody.Value.Content.Get("application/json")
	if media == nil || media.Schema == nil {
		return nil, errors.New("the vendored specification has no JSON body for POST /notifications")
	}
	return &contract{doc: doc, schema: media.Schema.Value}, nil
})

// targets are the fields of which the specification's variants each require one.
var targets = []string{"company_id", "experience_id"}

// check gives the first fault of a body, nil if it has none.
func (c *contract) check(body []byte) *apiError {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return badRequest("invalid_json", "", "The request body is not valid JSON.")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return badRequest("parameter_invalid", "", "The request body must be a JSON object.")
	}
	err := c.doc.ValidateSchemaJSON(c.schema, value)
	if err == nil {
		return nil
	}
	switch given := given(object); len(given) {
	case 0:
		return badRequest("parameter_missing", targets[0], "Missing required parameter: one of company_id and experience_id.")
	case 1:
		if fault := c.faultOfVariant(given[0], value); fault != nil {
			return fault
		}
	default:
		return badRequest("parameter_invalid", targets[0], "Give one of company_id and experience_id, not both.")
	}
	return badRequest("parameter_invalid", "", "The request body does not match the specification.")
}

// given are the targets that a body has. One that is null counts only if it is the sole
// one, to be blamed for its null.
func given(object map[string]any) []string {
	var present, set []string
	for _, target := range targets {
		value, ok := object[target]
		if ok {
			present = append(present, target)
		}
		if value != nil {
			set = append(set, target)
		}
	}
	if len(set) == 0 && len(present) == 1 {
		return present
	}
	return set
}

// faultOfVariant checks the value against the one variant that requires target, since
// an error of the whole union names no field.
func (c *contract) faultOfVariant(target string, value any) *apiError {
	for _, variant := range c.schema.OneOf {
		if !slices.Contains(variant.Value.Required, target) {
			continue
		}
		fault, ok := errors.AsType[*openapi3.SchemaError](c.doc.ValidateSchemaJSON(variant.Value, value))
		if !ok {
			continue
		}
		param := ""
		if path := fault.JSONPointer(); len(path) > 0 {
			param = path[0]
		}
		if fault.SchemaField == "required" {
			return badRequest("parameter_missing", param, "Missing required parameter: "+param+".")
		}
		return badRequest("parameter_invalid", param, fmt.Sprintf("Invalid parameter %s: %s.", strings.Join(fault.JSONPointer(), "."), fault.Reason))
	}
	return nil
}
