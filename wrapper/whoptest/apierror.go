package whoptest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// apiError is the documented error envelope with its status. The contract decides its type,
// and whether the parameter is a field of its own.
type apiError struct {
	status               int
	code, param, message string
}

func badRequest(code, param, message string) *apiError {
	return &apiError{http.StatusBadRequest, code, param, message}
}

func (e *apiError) response(c *contract) response {
	param := e.param
	if !c.param {
		param = "" // the message names it
	}
	body, _ := json.Marshal(map[string]any{"error": struct {
		Type    string `json:"type"`
		Code    string `json:"code,omitempty"`
		Message string `json:"message"`
		Param   string `json:"param,omitempty"`
	}{c.errorType(e.status), e.code, e.message, param}})
	answer := jsonResponse(e.status, string(body))
	answer.reason = e.message
	return answer
}

// errorType returns the type that the specification's examples use for a status, else the
// status's name.
func (c *contract) errorType(status int) string {
	if status == http.StatusBadRequest {
		return c.badRequest
	}
	text := http.StatusText(status)
	if text == "" {
		return "error"
	}
	return strings.ReplaceAll(strings.ToLower(text), " ", "_")
}
