package wrapper

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	"github.com/whopnotify/whopnotify/gen"
)

// API gives the generated client, for what the specification can say and this package
// does not. Its calls take the same way as [Client.Send]: the same credentials, headers,
// pacing, idempotency and retries. Nothing is validated.
//
// A call returns the response of the last attempt, whatever its status, with its body
// readable, or a [*SendError] where there was none. A header that a request editor sets
// counts over the client's own, Idempotency-Key included. For parsed responses, give
// what API().Client holds to gen.NewClientWithResponses by gen.WithHTTPClient.
func (c *Client) API() *gen.Client {
	return &gen.Client{Server: c.server, Client: doer{c}}
}

// doer is the client as the generated one wants it.
type doer struct{ client *Client }

func (d doer) Do(req *http.Request) (*http.Response, error) {
	call, err := d.client.newCall(req)
	if err != nil {
		return nil, &SendError{Outcome: NotSent, Err: err}
	}
	last, failure := d.client.run(req.Context(), call)
	if last == nil || last.status == 0 {
		return nil, failure
	}
	resp := last.resp
	resp.Request = req
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(last.body), errReader{last.bodyErr}))
	return resp, nil
}

// newCall takes a finished request apart, so that it can be sent more than once.
func (c *Client) newCall(req *http.Request) (*call, error) {
	template := req.Clone(req.Context())
	call := &call{template: template}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the request's body: %w", err)
		}
		call.body = body
	}
	template.Body, template.GetBody = nil, nil
	if template.Header == nil {
		template.Header = http.Header{}
	}
	c.addHeaders(template.Header)
	_, call.authorized = template.Header["Authorization"]
	for _, name := range []string{"Idempotency-Key", idempotencyHeader} {
		if values := template.Header[name]; len(values) > 0 {
			if err := checkIdempotencyKey(values[0]); err != nil {
				return nil, &ValidationError{Field: "Idempotency-Key", Reason: err.Error()}
			}
			call.key, call.callersKey = values[0], true
		}
		delete(template.Header, name)
	}
	return call, nil
}

var _ gen.HttpRequestDoer = doer{}
