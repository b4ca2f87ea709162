package whoptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// checkBody returns the first fault of a body, nil if it has none.
func (c *contract) checkBody(body []byte) *apiError {
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return badRequest("invalid_json", "", "The request body is not valid JSON.")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return badRequest("parameter_invalid", "", "The request body must be a JSON object.")
	}
	if fault := c.checkTarget(object); fault != nil {
		return fault
	}
	if err := c.doc.ValidateSchemaJSON(c.body, value); err != nil {
		return c.describe(err, object)
	}
	return nil
}

// checkTarget wants exactly one target, under the contract's own name. The vendored
// specification has a schema for that, whose error names no field. The current one has prose.
func (c *contract) checkTarget(object map[string]any) *apiError {
	if _, found := object[c.foreign]; found {
		return badRequest("parameter_invalid", c.foreign,
			fmt.Sprintf("Unknown parameter %s: this API version calls it %s.", c.foreign, c.targets[0]))
	}
	choice := strings.Join(c.targets, " and ")
	switch given := c.givenTargets(object); len(given) {
	case 0:
		return badRequest("parameter_missing", c.targets[0], "Missing required parameter: one of "+choice+".")
	case 1:
		return nil
	}
	return badRequest("parameter_invalid", c.targets[0], "Give one of "+choice+", not both.")
}

// givenTargets returns the targets that a body has. It includes a null one only if there is
// no other, so that the error names it.
func (c *contract) givenTargets(object map[string]any) []string {
	var present, set []string
	for _, target := range c.targets {
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

// describe names the field at fault. A union's error names none, so describe checks the
// variant that requires the given target.
func (c *contract) describe(err error, object map[string]any) *apiError {
	target := c.givenTargets(object)[0]
	for _, variant := range c.body.OneOf {
		if slices.Contains(variant.Value.Required, target) {
			err = c.doc.ValidateSchemaJSON(variant.Value, object)
		}
	}
	fault, ok := errors.AsType[*openapi3.SchemaError](err)
	if !ok {
		return badRequest("parameter_invalid", "", "The request body does not match the specification.")
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
