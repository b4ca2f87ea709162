package whoptest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/whopnotify/whopnotify"
)

// contract is one of the two that Whop serves: a specification, and the rules that it
// states only in prose or examples.
type contract struct {
	doc     *openapi3.T
	body    *openapi3.Schema
	success int  // the status when a notification is queued
	param   bool // an error names the parameter

	badRequest string   // the type of a 400
	targets    []string // a body has exactly one
	foreign    string   // the other contract's name for the first target
}

type contracts struct{ vendored, current *contract }

// loadContracts reads the specifications once for all servers.
var loadContracts = sync.OnceValues(func() (*contracts, error) {
	vendored, err := loadContract(whopnotify.Spec)
	if err != nil {
		return nil, fmt.Errorf("the vendored specification: %w", err)
	}
	vendored.badRequest = "invalid_request_error"
	vendored.targets = []string{"company_id", "experience_id"}
	vendored.foreign = "account_id"

	current, err := loadContract(whopnotify.CurrentSpec)
	if err != nil {
		return nil, fmt.Errorf("the current specification: %w", err)
	}
	current.badRequest = "bad_request"
	current.targets = []string{"account_id", "experience_id"}
	current.foreign = "company_id"
	return &contracts{vendored, current}, nil
})

func loadContract(spec []byte) (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(spec)
	if err != nil {
		return nil, err
	}
	path := doc.Paths.Value(operationPath)
	if path == nil || path.Post == nil || path.Post.RequestBody == nil {
		return nil, errors.New("no POST " + operationPath + " with a body")
	}
	body := path.Post.RequestBody.Value.Content.Get(jsonType)
	if body == nil || body.Schema == nil {
		return nil, errors.New("no JSON body for POST " + operationPath)
	}
	c := &contract{doc: doc, body: body.Schema.Value}
	for status := range path.Post.Responses.Map() {
		if code, err := strconv.Atoi(status); err == nil && code/100 == 2 {
			c.success = code
		}
	}
	refusal := path.Post.Responses.Status(http.StatusBadRequest)
	if c.success == 0 || refusal == nil {
		return nil, errors.New("no success or no 400 among the responses of POST " + operationPath)
	}
	if media := refusal.Value.Content.Get(jsonType); media != nil && media.Schema != nil {
		if envelope := media.Schema.Value.Properties["error"]; envelope != nil {
			_, c.param = envelope.Value.Properties["param"]
		}
	}
	return c, nil
}
