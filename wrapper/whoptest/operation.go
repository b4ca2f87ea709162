package whoptest

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"
)

// The operation, from the specifications and Whop's pages on versions and idempotency.
const (
	basePath      = "/api/v1" // of the specifications' server
	operationPath = "/notifications"
	jsonType      = "application/json"

	versionHeader  = "Api-Version-Date"
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotent-Replayed"

	maxKey      = 255 // bytes
	keyLifetime = 24 * time.Hour
	maxBody     = 10 << 20 // bytes; Whop documents no limit
)

// serve answers a request without a script. done stores the answer under the request's key;
// until then other requests see this one as in progress.
func (c *call) serve() (answer response, done func(response)) {
	if fault := c.otherOperation(); fault != nil {
		if known := c.recall(); known != nil {
			return *known, ignore
		}
		return fault.response(c.contract), ignore
	}
	if fault := c.check(); fault != nil {
		return fault.response(c.contract), ignore
	}
	known, done := c.claim()
	if known != nil {
		return *known, ignore
	}
	if fault := c.checkContent(); fault != nil {
		return fault.response(c.contract), done
	}
	c.server.set(func() { c.server.history.queue(c.record) })
	return c.contract.queued(true), done
}

// queued returns the answer that says whether the notification was queued.
func (c *contract) queued(success bool) response {
	return jsonResponse(c.success, fmt.Sprintf(`{"success":%t}`, success))
}

// otherOperation refuses every operation but sending a notification.
func (c *call) otherOperation() *apiError {
	switch {
	case c.r.URL.Path != basePath+operationPath:
		return &apiError{status: http.StatusNotFound, message: "Resource not found"}
	case c.r.Method != http.MethodPost:
		return &apiError{status: http.StatusMethodNotAllowed, message: "Only POST is allowed here"}
	}
	return nil
}

// check refuses a request that does not reach the operation. A refusal here leaves the
// idempotency key free.
func (c *call) check() *apiError {
	if c.caller == "" {
		return &apiError{status: http.StatusUnauthorized, message: "Invalid or missing API key"}
	}
	if c.server.contracts.contractOf(c.record.APIVersion) == nil {
		return unknownVersion()
	}
	if len(c.record.IdempotencyKey) > maxKey {
		return badRequest("parameter_invalid", keyHeader, fmt.Sprintf("The %s is over %d bytes.", keyHeader, maxKey))
	}
	if err := c.readBody(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return &apiError{status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("The body is over %d bytes.", maxBody)}
		}
		return badRequest("invalid_json", "", "The request body did not arrive whole.")
	}
	return c.passLimit()
}

// checkContent refuses what the contract does not allow.
func (c *call) checkContent() *apiError {
	if mediaType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); mediaType != jsonType {
		return badRequest("parameter_invalid", "Content-Type", "The Content-Type must be "+jsonType+".")
	}
	return c.contract.checkBody(c.record.Body)
}

// readBody reads the body once, to its end: only then does net/http notice that the client
// has gone, and the client hears the answer. It keeps at most maxBody bytes.
func (c *call) readBody() error {
	if c.read {
		return c.bodyErr
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, maxBody))
	_, _ = io.Copy(io.Discard, c.r.Body)
	c.server.set(func() { c.record.Body = body })
	c.read, c.bodyErr = true, err
	return err
}
