package wrapper

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"
)

// maxResponse is the size in bytes from which an answer is not read any further.
const maxResponse = 1 << 20

// call is a request that may take several attempts: all carry the same body, headers
// and, but for one rule in decide.go, the same idempotency key.
type call struct {
	template   *http.Request // without body, token and key
	body       []byte
	key        string
	callersKey bool
	authorized bool // the template carries a token of its own
	attempts   int
}

// answer is how one attempt ended: with a status, or without.
type answer struct {
	status  int
	header  http.Header
	body    []byte // at most maxResponse bytes
	bodyErr error  // why the body is not whole
	resp    *http.Response

	failure error         // why it is not success, once assessed
	asked   time.Duration // how long to wait, says the server

	// Without an answer.
	arrived   bool // there is no proof that the request did not arrive whole
	permanent bool // the failure will not pass within seconds
	timeout   bool

	seen  evidence
	token string // to be kept out of errors
	took  time.Duration
}

// attempt sends the call once and reads the whole answer.
func (c *Client) attempt(ctx context.Context, call *call) *answer {
	start := time.Now()
	a := &answer{}
	c.exchange(ctx, call, a)
	a.took = time.Since(start)
	return a
}

func (c *Client) exchange(ctx context.Context, call *call, a *answer) {
	actx, cancel := context.WithTimeout(ctx, c.attemptTimeout)
	defer cancel()

	if !call.authorized {
		var err error
		if a.token, err = c.token(actx); err != nil {
			a.failure, a.permanent = c.explain(ctx, actx, err), true
			return
		}
	}

	req := call.request(httptrace.WithClientTrace(actx, a.seen.hooks(c.traits)), a.token)
	if c.http1.Load() {
		req.GetBody = a.seen.rewind(call.body)
	}
	resp, err := c.roundTrip(req)
	if err != nil {
		a.arrived = !a.seen.cannotHaveArrived(err)
		a.permanent = permanent(err)
		a.timeout = timedOut(err)
		a.failure = redactError(c.explain(ctx, actx, err), a.token)
		return
	}
	c.http1.Store(resp.ProtoMajor < 2)
	a.resp, a.status, a.header = resp, resp.StatusCode, resp.Header
	if a.body, err = readBody(resp); err != nil {
		a.timeout = timedOut(err)
		a.bodyErr = redactError(c.explain(ctx, actx, err), a.token)
	}
}

// request makes the request of one attempt. The key goes into the map in lower case,
// which is the same header to a server: under the canonical name net/http would take
// the request for one that it may send again by itself after it was written.
func (call *call) request(ctx context.Context, token string) *http.Request {
	req := call.template.WithContext(ctx)
	req.URL = new(*call.template.URL) // some http.RoundTrippers redirect in place
	req.Header = maps.Clone(call.template.Header)
	values := []string{call.key, ""}
	req.Header[idempotencyHeader] = values[:1:1]
	if !call.authorized {
		values[1] = "Bearer " + token
		req.Header["Authorization"] = values[1:2:2]
	}
	req.ContentLength = int64(len(call.body))
	if len(call.body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(call.body))
	}
	return req
}

const idempotencyHeader = "idempotency-key"

// roundTrip is http.Client.Do without its redirects, whose handling would lose the
// status of a 3xx with an odd Location.
func (c *Client) roundTrip(req *http.Request) (*http.Response, error) {
	if c.jar != nil {
		for _, cookie := range c.jar.Cookies(req.URL) {
			req.AddCookie(cookie)
		}
	}
	resp, err := c.transport.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("the http.RoundTripper returned neither a response nor an error")
	}
	if err != nil {
		if resp != nil && resp.Body != nil {
			resp.Body.Close()
		}
		if tlsErr, ok := errors.AsType[tls.RecordHeaderError](err); ok && string(tlsErr.RecordHeader[:]) == "HTTP/" {
			err = http.ErrSchemeMismatch // "server gave HTTP response to HTTPS client"
		}
		return nil, &url.Error{Op: "Post", URL: req.URL.String(), Err: err}
	}
	if c.jar != nil {
		if cookies := resp.Cookies(); len(cookies) > 0 {
			c.jar.SetCookies(req.URL, cookies)
		}
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, nil
}

// readBody reads up to maxResponse bytes, and so to the end of any sane answer: the
// connection can be used again.
func readBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	if resp.StatusCode < 200 {
		return nil, nil // after 101 Switching Protocols it is the connection, without end
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if len(body) > maxResponse {
		return body[:maxResponse], fmt.Errorf("the body is over %d bytes", maxResponse)
	}
	if err != nil {
		return body, fmt.Errorf("reading the body: %w", err)
	}
	return body, nil
}

// explain says whose time was up, where it was time.
func (c *Client) explain(ctx, attempt context.Context, err error) error {
	switch {
	case ctx.Err() != nil && !(errors.Is(err, ctx.Err()) && errors.Is(err, context.Cause(ctx))):
		return stopped(err, contextError(ctx))
	case ctx.Err() == nil && attempt.Err() != nil:
		return &attemptTimeoutError{after: c.attemptTimeout, err: err}
	}
	return err
}

// attemptTimeoutError is a time-out of WithAttemptTimeout, not of the caller's context.
type attemptTimeoutError struct {
	after time.Duration
	err   error
}

func (e *attemptTimeoutError) Error() string {
	return fmt.Sprintf("no complete answer within the attempt's %v: %v", e.after, e.err)
}
func (e *attemptTimeoutError) Unwrap() error { return e.err }
func (e *attemptTimeoutError) Timeout() bool { return true }

// contextError is ctx.Err(), with the cause where there is another.
func contextError(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// success reads a 2xx: whether Whop queued the notification, and whether it said so.
func (a *answer) success() (queued, understood bool) {
	if a.bodyErr == nil && string(a.body) == `{"success":true}` {
		return true, true // the usual one needs no decoder
	}
	var body struct {
		Success *bool `json:"success"`
	}
	if a.bodyErr != nil || json.Unmarshal(a.body, &body) != nil || body.Success == nil {
		return false, false
	}
	return *body.Success, true
}
