package whoptest

import (
	"encoding/json"
	"net/http"
	"strings"
)

// apiError is the documented error envelope with its status.
type apiError struct {
	status int
	Type   string  `json:"type"`
	Code   *string `json:"code,omitempty"`
	Msg    string  `json:"message"`
	Param  *string `json:"param,omitempty"`
}

func newAPIError(status int, code, param, message string) *apiError {
	e := &apiError{status: status, Type: errorType(status), Msg: message}
	if code != "" {
		e.Code = &code
	}
	if param != "" {
		e.Param = &param
	}
	return e
}

func badRequest(code, param, message string) *apiError {
	return newAPIError(http.StatusBadRequest, code, param, message)
}

// errorType is what the specification's examples have for a status, else the name of
// the status.
func errorType(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "invalid_request_error"
	case http.StatusInternalServerError:
		return "internal_server_error"
	}
	text := http.StatusText(status)
	if text == "" {
		return "error"
	}
	return strings.ReplaceAll(strings.ToLower(text), " ", "_")
}

func (e *apiError) response() response {
	body, _ := json.Marshal(map[string]*apiError{"error": e})
	return jsonResponse(e.status, string(body))
}
