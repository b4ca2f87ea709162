package wrapper

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/whopnotify/whopnotify/gen"
)

// API returns the generated client of the vendored contract, for requests that this package
// does not cover. Its calls go the way of [Client.Do]; where the client's contract
// is another, they carry [DefaultAPIVersion].
func (c *Client) API() *gen.Client {
	if c == nil {
		c = &Client{}
	}
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
// idempotency and retries. With it any generated client sends so. For that of the current
// contract, the client needs [WithAPIVersion] of [CurrentAPIVersion]:
//
//	api, err := current.NewClient(client.BaseURL(), current.WithHTTPClient(client))
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
	if last == nil || !last.answered {
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
		return nil, misuse("whop: the request is nil or has no URL")
	}
	body, err := bodyOf(req)
	if err != nil {
		return nil, fmt.Errorf("reading the request's body: %w", err)
	}
	if err := c.usable(req.Context()); err != nil {
		return nil, err
	}
	base := c.template.URL
	for _, u := range []*url.URL{req.URL, {Scheme: req.URL.Scheme, Host: cmp.Or(req.Host, req.URL.Host)}} {
		if origin(u) != origin(base) || u.Opaque != "" {
			return nil, misuse(fmt.Sprintf("whop: the request is for %s, and the client for %s; its key goes nowhere else",
				oneLine(origin(u)+u.Opaque, maxErrorWords), origin(base)))
		}
	}
	template := req.Clone(req.Context())
	template.Method = cmp.Or(req.Method, http.MethodGet) // as net/http has it
	template.Body, template.GetBody, template.Header = nil, nil, http.Header{}
	for name, values := range req.Header {
		if name = http.CanonicalHeaderKey(name); name == "X-Idempotency-Key" {
			name = strings.ToLower(name) // for the reason of idempotencyHeader
		}
		template.Header[name] = append(template.Header[name], values...)
	}
	c.addHeaders(template.Header, version)
	other := req.Method != http.MethodPost || req.URL.Path != base.Path
	call := &call{template: template, body: body, other: other}
	if values := template.Header["Authorization"]; len(values) > 0 {
		_, token, found := strings.Cut(values[0], " ")
		if call.token = token; !found {
			call.token = values[0]
		}
		call.authorized = true
	}
	if values := template.Header["Idempotency-Key"]; len(values) > 0 {
		if err := checkIdempotencyKey(values[0]); err != nil {
			return nil, &ValidationError{Field: "Idempotency-Key", Reason: err.Error()}
		}
		call.key, call.callersKey = values[0], true
		delete(template.Header, "Idempotency-Key") // it goes out as idempotencyHeader
	}
	return call, nil
}

// bodyOf reads a request's body, anew where it can, and no longer than its context lasts.
func bodyOf(req *http.Request) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	defer req.Body.Close()
	reader := req.Body
	if req.GetBody != nil {
		again, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		defer again.Close()
		reader = again
	}
	var body []byte
	var err error
	if ended := await(req.Context(), func() { body, err = io.ReadAll(reader) }); ended != nil {
		return nil, ended
	}
	if err == nil && req.ContentLength > 0 && int64(len(body)) != req.ContentLength {
		return nil, misuse(fmt.Sprintf("it has %d bytes, and the request's ContentLength is %d; was it sent before?", len(body), req.ContentLength))
	}
	return body, err
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
