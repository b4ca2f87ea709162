package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotent-Replayed"
	versionHeader  = "Api-Version-Date"
)

// relayContract is what differs between the two contracts for who asks a relay.
type relayContract struct {
	company, foreign string // the field of a company, and what the other contract calls it
	success          int
	badRequest       string // the type of a 400
}

var (
	relayVendored = &relayContract{company: "company_id", foreign: "account_id", success: http.StatusOK, badRequest: "invalid_request_error"}
	relayCurrent  = &relayContract{company: "account_id", foreign: "company_id", success: http.StatusAccepted, badRequest: "bad_request"}
)

// versionDate is a day, and the number of its second and later versions.
var versionDate = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(-[1-9]\d{0,8})?$`)

// relayContractOf is the contract of a date; without one, the vendored. One that is no date is
// refused in the words of the vendored contract.
func relayContractOf(date string) (*relayContract, *relayError) {
	if date == "" {
		return relayVendored, nil
	}
	parts := versionDate.FindStringSubmatch(date)
	if parts != nil {
		if _, err := time.Parse(time.DateOnly, parts[1]); err != nil {
			parts = nil
		}
	}
	switch {
	case parts == nil:
		return relayVendored, invalid(parameterInvalid, versionHeader, "Invalid parameter "+versionHeader+": not of the form YYYY-MM-DD or YYYY-MM-DD-N, as in "+whop.CurrentAPIVersion+".")
	case parts[1] > whop.DefaultAPIVersion || parts[1] == whop.DefaultAPIVersion && parts[2] != "":
		return relayCurrent, nil
	}
	return relayVendored, nil
}

// The codes of errors, in Whop's words.
const (
	parameterInvalid = "parameter_invalid"
	parameterMissing = "parameter_missing"
	keyMismatch      = "idempotency_key_mismatch"
	keyInProgress    = "idempotency_request_in_progress"
)

// relayError is a refusal. reason is for those who count: one of a fixed few.
type relayError struct {
	status               int
	reason               string
	code, param, message string
	retryAfter           int // seconds; 0: the header is left out
	allow                string
	key                  string // under which a repeat is safe; "" where that is the request's own
}

func invalid(code, param, message string) *relayError {
	return &relayError{status: http.StatusBadRequest, reason: "invalid", code: code, param: param, message: message}
}

// unavailable is for what another try may change.
func unavailable(message string) *relayError {
	return &relayError{status: http.StatusServiceUnavailable, reason: "unavailable", message: message, retryAfter: 2}
}

// write answers in Whop's envelope. param stands in it under either contract.
func (e *relayError) write(w http.ResponseWriter, c *relayContract) {
	kind := strings.ReplaceAll(strings.ToLower(http.StatusText(e.status)), " ", "_")
	if e.status == http.StatusBadRequest {
		kind = c.badRequest
	}
	header := w.Header()
	if e.retryAfter > 0 {
		header.Set("Retry-After", fmt.Sprint(e.retryAfter))
	}
	if e.allow != "" {
		header.Set("Allow", e.allow)
	}
	if e.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer")
	}
	if e.key != "" {
		header.Set(keyHeader, e.key)
	}
	_ = writeJSON(w, e.status, map[string]any{"error": struct {
		Type    string `json:"type"`
		Code    string `json:"code,omitempty"`
		Message string `json:"message"`
		Param   string `json:"param,omitempty"`
	}{kind, e.code, e.message, e.param}})
}

// writeJSON returns an error where the answer could not be written to the connection. Without
// one, it may be lost on its way.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, err = w.Write(body)
	return errors.Join(err, http.NewResponseController(w).Flush())
}
