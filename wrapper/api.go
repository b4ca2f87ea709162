package wrapper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/whopnotify/whopnotify/gen"
)

// API returns the generated client of the vendored contract, for what that can say and
// this package does not. Its calls go the way of [Client.Do]; where the client's contract
// is another, they carry [DefaultAPIVersion].
func (c *Client) API() *gen.Client {
	return &gen.Client{Server: c.server, Client: vendored{c}}
}

// vendored is Do with a version of the contract that package gen is generated from.
type vendored struct{ client *Client }

func (v vendored) Do(req *http.Request) (*http.Response, error) {
	version := v.client.version
	if v.client.contract != vendoredContract {
		version = DefaultAPIVersion
	}
	return v.client.do(req, version)
}

// Do sends a request as [Client.Send] does: with the same credentials, headers, pacing,
// idempotency and retries. It is what a generated client needs:
//
//	api, err := current.NewClient(whop.DefaultBaseURL, current.WithHTTPClient(client))
//
// It returns the response of the last attempt, whatever its status, with its body
// readable, or a [*SendError] where there was none. The request's own headers override
// the client's, Authorization, Api-Version-Date and Idempotency-Key included. Nothing is
// validated, and [WithoutBroadcasts] does not hold here. A request to another scheme, host
// or port than the base URL's is refused, NotSent: it would carry the key there.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	if err := c.usable(context.Background()); err != nil {
		return nil, &SendError{Outcome: NotSent, Err: err}
	}
	return c.do(req, c.version)
}

func (c *Client) do(req *http.Request, version string) (*http.Response, error) {
	call, err := c.callOf(req, version)
	if err != nil {
		return nil, &SendError{Outcome: NotSent, Err: err}
	}
	last, failure := c.run(req.Context(), call)
	if last == nil || !last.answered() {
		return nil, failure
	}
	resp := last.resp
	resp.Request = req
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(last.body), errReader{last.bodyErr}))
	return resp, nil
}

// callOf takes a finished request apart, so that it can be sent more than once.
func (c *Client) callOf(req *http.Request, version string) (*call, error) {
	if req == nil || req.URL == nil {
		return nil, errors.New("whop: the request is nil or has no URL")
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("reading the request's body: %w", err)
		}
	}
	if err := c.usable(req.Context()); err != nil {
		return nil, err
	}
	if origin(req.URL) != origin(c.template.URL) {
		return nil, fmt.Errorf("whop: the request is for %s, and the client for %s; its key goes nowhere else",
			oneLine(origin(req.URL), maxErrorWords), origin(c.template.URL))
	}
	template := req.Clone(req.Context())
	template.Body, template.GetBody = nil, nil
	if template.Header == nil {
		template.Header = http.Header{}
	}
	c.addHeaders(template.Header, version)
	call := &call{template: template, body: body}
	if values := template.Header["Authorization"]; len(values) > 0 {
		_, token, found := strings.Cut(values[0], " ")
		if call.token = token; !found {
			call.token = values[0]
		}
		call.authorized = true
	}
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

// origin is scheme, host and port of a URL.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port)
}

var (
	_ gen.HttpRequestDoer = (*Client)(nil)
	_ gen.HttpRequestDoer = vendored{}
)
