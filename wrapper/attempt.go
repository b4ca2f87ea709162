package wrapper

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// call is a request that may take several attempts: all carry the same body, headers
// and, but for one rule in decide.go, the same idempotency key.
type call struct {
	template   *http.Request // without body, token and key
	body       []byte
	other      bool // than POST /notifications: any whole 2xx is its success
	key        string
	callersKey bool
	authorized bool   // the template carries an Authorization of its own
	token      string // in it
	attempts   int
	waited     time.Duration // before the last attempt
}

// request makes the request of one attempt.
func (call *call) request(ctx context.Context, token string) *http.Request {
	req := call.template.WithContext(ctx)
	req.URL = new(*call.template.URL) // some http.RoundTrippers redirect in place
	req.Header = maps.Clone(call.template.Header)
	req.Header[idempotencyHeader] = []string{call.key}
	if !call.authorized {
		req.Header["Authorization"] = []string{"Bearer " + token}
	}
	req.ContentLength = int64(len(call.body))
	if len(call.body) > 0 {
		req.Body = io.NopCloser(bytes.NewReader(call.body))
	}
	return req
}

// exchanger makes the attempts of a client.
type exchanger struct {
	token     func(context.Context) (string, error) // keeps the key where no formatting verb reaches it
	transport http.RoundTripper
	traits    transportTraits
	jar       http.CookieJar
	timeout   time.Duration // of an attempt
	http1     atomic.Bool   // the server speaks it, as far as is known
}

// resends is how often an attempt sends again, over another connection, what certainly did
// not arrive: servers that are about to close an HTTP/2 connection give requests back.
const resends = 3

// attempt sends the call and reads the whole answer. It sends again within the attempt only
// where mayResend allows that.
func (x *exchanger) attempt(ctx context.Context, call *call, mayResend func(context.Context) bool) *answer {
	start := time.Now()
	actx, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()

	token, err := call.token, error(nil)
	if !call.authorized {
		token, err = x.token(actx)
	}
	if err != nil {
		failure := fromPeer(x.explain(ctx, actx, err, "token"), "")
		return &answer{facts: facts{permanent: true}, failure: failure, took: time.Since(start)}
	}
	a := x.exchange(ctx, actx, call, token)
	for range resends {
		if !a.returned || actx.Err() != nil || !mayResend(actx) {
			break
		}
		a = x.exchange(ctx, actx, call, token)
	}
	if a.timeout {
		// Where one connection is dead, those that were idle as long may be as well.
		x.closeIdleConnections()
	}
	a.took = time.Since(start)
	return a
}

// exchange sends one request, and reads the answer.
func (x *exchanger) exchange(ctx, actx context.Context, call *call, token string) *answer {
	a := &answer{token: token}
	seen := evidence{bodyless: len(call.body) == 0}
	req := call.request(httptrace.WithClientTrace(actx, seen.hooks(x.traits.of(call.template.Method))), token)
	if x.http1.Load() {
		req.GetBody = seen.rewind(call.body)
	}
	resp, err := x.roundTrip(req)
	if err == nil {
		x.http1.Store(resp.ProtoMajor < 2)
		err = a.read(resp)
		a.timeout = err != nil && timedOut(err)
		a.wroteEarlier = seen.wroteEarlier.Load()
		if a.answered {
			if err != nil {
				a.bodyErr = fromPeer(x.explain(ctx, actx, err, "complete answer"), token)
			}
			return a
		}
		a.arrived = true
	} else {
		err = seen.explainProxy(withoutAdvice(err))
		a.arrived = !seen.cannotHaveArrived(err)
		a.permanent = permanent(err)
		a.timeout = timedOut(err)
		a.connDied = seen.keptConnectionDied(a.timeout)
		a.returned = !a.arrived && seen.lostConnection(err)
	}
	err = &url.Error{Op: req.Method[:1] + strings.ToLower(req.Method[1:]), URL: req.URL.Redacted(), Err: err}
	a.failure = fromPeer(x.explain(ctx, actx, err, "complete answer"), token)
	return a
}

func (x *exchanger) closeIdleConnections() {
	if t, ok := x.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// roundTrip is http.Client.Do without its redirects, whose handling would lose the
// status of a 3xx with an odd Location.
func (x *exchanger) roundTrip(req *http.Request) (*http.Response, error) {
	if x.jar != nil {
		for _, cookie := range x.jar.Cookies(req.URL) {
			req.AddCookie(cookie)
		}
	}
	resp, err := x.transport.RoundTrip(req)
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
		return nil, err
	}
	if x.jar != nil {
		if cookies := resp.Cookies(); len(cookies) > 0 {
			x.jar.SetCookies(req.URL, cookies)
		}
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	return resp, nil
}

// explain tells which deadline expired, the caller's or the attempt's, and what was missing.
func (x *exchanger) explain(ctx, attempt context.Context, err error, missing string) error {
	switch {
	case ctx.Err() != nil && !(errors.Is(err, ctx.Err()) && errors.Is(err, context.Cause(ctx))):
		return withReason(err, contextError(ctx))
	case ctx.Err() == nil && attempt.Err() != nil:
		return &attemptTimeoutError{missing, x.timeout, err}
	}
	return err
}

// attemptTimeoutError is a time-out of WithAttemptTimeout, not of the caller's context.
type attemptTimeoutError struct {
	missing string
	after   time.Duration
	err     error
}

func (e *attemptTimeoutError) Error() string {
	return fmt.Sprintf("no %s within the attempt's %v: %v", e.missing, e.after, e.err)
}
func (e *attemptTimeoutError) Unwrap() error { return e.err }
func (e *attemptTimeoutError) Timeout() bool { return true }
