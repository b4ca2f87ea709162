package wrapper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"
)

const (
	// DefaultBaseURL is Whop's production API.
	DefaultBaseURL = "https://api.whop.com/api/v1"
	// SandboxBaseURL is Whop's sandbox. Its keys look like those of production.
	SandboxBaseURL = "https://sandbox-api.whop.com/api/v1"

	defaultAttemptTimeout = 30 * time.Second
)

// Option configures a [Client]. If an option is given twice, the last one wins; an option
// overrides its environment variable.
type Option func(*config)

type config struct {
	errs           []error // what is wrong with the options
	token          func(context.Context) (string, error)
	authenticated  bool // by an option, if perhaps a wrong one
	baseURL        *string
	insecureHTTP   bool
	apiVersion     *string
	httpClient     *http.Client
	attemptTimeout time.Duration
	policy         RetryPolicy
	limiter        Limiter
	logger         *slog.Logger
	product        string
	observer       func(context.Context, Attempt)
	contract       contract
	noBroadcasts   bool
}

// OptionError is one thing that is wrong with the configuration of a client.
// [NewClient] joins all that it finds.
type OptionError struct {
	Option string // the option or environment variable, as in "WithBaseURL" or "WHOP_BASE_URL"
	Reason string // what is wrong with it; it never holds a key
}

// Error names the option and the reason.
func (e *OptionError) Error() string { return "whop: " + e.Option + ": " + e.Reason }

// refuse notes an [*OptionError]. Reasons take args as [fmt.Sprintf] does.
func (cfg *config) refuse(option, reason string, args ...any) {
	cfg.errs = append(cfg.errs, &OptionError{Option: option, Reason: fmt.Sprintf(reason, args...)})
}

// WithAPIKey authenticates with an app's API key, or a credential that acts for an app,
// such as a user's OAuth token: Whop attributes notifications to the app and refuses a
// plain company key with 403. The key needs the permission notification:create. Without it and [WithTokenSource], the key is that of the
// environment variable WHOP_API_KEY. An empty key, or one with other characters than
// printable ASCII without spaces, is an error.
func WithAPIKey(key string) Option {
	return func(cfg *config) {
		cfg.authenticated = true
		var err error
		if cfg.token, err = staticToken(key); err != nil {
			cfg.refuse("WithAPIKey", "%v", err)
		}
	}
}

// staticToken keeps the key in a closure, where no formatting verb reaches it.
func staticToken(key string) (func(context.Context) (string, error), error) {
	if err := checkToken(key); err != nil {
		return nil, fmt.Errorf("API key %w", err)
	}
	return func(context.Context) (string, error) { return key, nil }, nil
}

func checkToken(token string) error {
	if token == "" {
		return errors.New("is empty")
	}
	if i := strings.IndexByte(token, ' '); i >= 0 {
		return fmt.Errorf("has a space at position %d", i+1)
	}
	return headerSafe(token)
}

// WithTokenSource asks f for the token of every attempt, for tokens that rotate or
// belong to the user of the context. The context it gets ends with the attempt's
// time-out; if f does not obey it, the attempt ends all the same, and f is left behind until
// it returns. If f fails, or returns what no header can carry, the send ends, and that
// attempt was not sent. f must be safe for concurrent use.
//
// Whop keeps idempotency keys and its rate limit apart by credential. So f returns tokens
// of one user for all attempts of a send; and with tokens of many users the default
// limiter, which is the whole client's, is stricter than it needs to be, and a
// 429 of one holds back the others.
func WithTokenSource(f func(context.Context) (string, error)) Option {
	return func(cfg *config) {
		cfg.authenticated = true
		if f == nil {
			cfg.refuse("WithTokenSource", "the token source is nil")
		}
		cfg.token = func(ctx context.Context) (string, error) {
			var token string
			var err error
			if ended := await(ctx, func() { token, err = f(ctx) }); ended != nil {
				return "", fmt.Errorf("token source: %w", ended)
			}
			if err != nil {
				return "", fmt.Errorf("token source: %w", err)
			}
			if err := checkToken(token); err != nil {
				return "", fmt.Errorf("token source: the token %w", err)
			}
			return token, nil
		}
	}
}

// WithBaseURL sends to another address, such as [SandboxBaseURL] or that of a test
// server. Without it, the environment variable WHOP_BASE_URL decides, else
// [DefaultBaseURL]. It is an absolute URL without credentials, query or fragment;
// plain http is for loopback addresses, or needs [WithInsecureHTTP].
func WithBaseURL(u string) Option {
	return func(cfg *config) { cfg.baseURL = &u }
}

// WithInsecureHTTP allows plain http to a host that is not loopback. The key then
// crosses the network readable.
func WithInsecureHTTP() Option {
	return func(cfg *config) { cfg.insecureHTTP = true }
}

// WithAPIVersion picks the dated version of Whop's API, as the header Api-Version-Date,
// and with it the contract: up to [DefaultAPIVersion] the vendored one, in which a
// company is company_id; after it the current one, in which it is account_id. Either way
// a notification is built the same. Without this option the environment variable
// WHOP_API_VERSION decides, else DefaultAPIVersion. With "" no header is sent: Whop
// applies the version that the API key is pinned to, and the body is that of the vendored
// contract. A date is YYYY-MM-DD, or YYYY-MM-DD-N for a later version of the same day;
// anything else is an error.
//
// Whop counts the version as part of a request: the same idempotency key with another
// version is refused with [ErrIdempotencyMismatch]. So switch while no notification with a
// key of its own is in doubt.
func WithAPIVersion(date string) Option {
	return func(cfg *config) { cfg.apiVersion = &date }
}

// WithoutBroadcasts refuses every notification that [Notification.OnlyUsers] has not
// narrowed: [Client.Send] and [Client.SendAll] return a [*ValidationError] of user_ids, and
// nothing is sent. It is for programs that never notify everybody, and catches a dropped
// result of OnlyUsers too. It does not look at calls through [Client.API] and [Client.Do].
// The client of a queue's worker refuses such a notification as well: it becomes a dead letter.
func WithoutBroadcasts() Option {
	return func(cfg *config) { cfg.noBroadcasts = true }
}

// WithHTTPClient uses the transport, cookie jar and time-out of c; the time-out bounds
// an attempt, as [WithAttemptTimeout] does, and the shorter of the two wins.
// Redirects are not followed, whatever its CheckRedirect. c is not changed, but after a
// time-out, also of the context, the idle connections of its transport are closed, since those may
// be dead as well. Without a transport, all clients share a copy of [http.DefaultTransport],
// with its proxies and time-outs, that keeps up to 1,024 idle connections, reads up to
// 1 MiB of an answer's header, and pings on HTTP/2. A transport of your own should do that
// too, or a network that forgets a connection costs minutes:
//
//	transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 8 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second}
//
// The transport can be any [http.RoundTripper], such as one that traces or counts. The
// client sees how far a request got by the hooks of [net/http/httptrace] in the
// request's context and by the types of errors. With another type than
// [*http.Transport], an error is [Unknown] more often, and never less:
//
//   - Without the context handed on, only an error that is by its type one of DNS,
//     dialling, the proxy, a certificate, or a refused HTTP/2 stream is [NotSent].
//   - An attempt in which the transport wrote headers a second time, or asked for another
//     connection after it wrote them, is [Unknown], also where it was refused.
//   - An error of the transport's own, say of a circuit breaker that is open, is
//     [Unknown], and retried.
//
// A transport of another make that calls the hook GetConn must call WroteHeaders too; so
// must a protocol that is registered with an [*http.Transport] by RegisterProtocol.
// None should send a request again by itself: neither AtMostOnce nor the limiter would
// know of it. The idempotency key is in the header map as "idempotency-key", in lower
// case, where Header.Get does not find it; under its canonical name [*http.Transport]
// would take the request for one that it may deliver again.
func WithHTTPClient(c *http.Client) Option {
	return func(cfg *config) {
		switch {
		case c == nil:
			cfg.refuse("WithHTTPClient", "the client is nil")
			return
		case c.Transport != nil && isNil(c.Transport):
			cfg.refuse("WithHTTPClient", "the transport is a nil %T; leave it out for the default", c.Transport)
		case c.Jar != nil && isNil(c.Jar):
			cfg.refuse("WithHTTPClient", "the cookie jar is a nil %T; leave it out for none", c.Jar)
		case c.Timeout < 0:
			cfg.refuse("WithHTTPClient", "the time-out %v is negative", c.Timeout)
		}
		cfg.httpClient = c
	}
}

// WithAttemptTimeout bounds each attempt, the reading of the answer included. Default,
// also for 0, is 30 s. The whole of a send is bounded by its context.
func WithAttemptTimeout(d time.Duration) Option {
	return func(cfg *config) {
		if d < 0 {
			cfg.refuse("WithAttemptTimeout", "%v is negative", d)
		}
		cfg.attemptTimeout = cmp.Or(d, defaultAttemptTimeout)
	}
}

// WithRetryPolicy changes how often and how patiently a send is retried. Negative
// fields are an error.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(cfg *config) {
		for _, field := range []struct {
			name  string
			value int64
		}{
			{"MaxAttempts", int64(p.MaxAttempts)},
			{"BaseDelay", int64(p.BaseDelay)},
			{"MaxDelay", int64(p.MaxDelay)},
			{"MaxRetryAfter", int64(p.MaxRetryAfter)},
		} {
			if field.value < 0 {
				cfg.refuse("WithRetryPolicy", "%s is negative", field.name)
			}
		}
		cfg.policy = p
	}
}

// WithLimiter paces the attempts in place of the default limiter, which lets at most 590
// attempts go in any 60 s, under Whop's 600, and delays none until then. For a steady
// drip instead of bursts, give a *rate.Limiter of golang.org/x/time. Clients with the same
// credential share Whop's limit, so give them the same limiter. nil means no pacing; a 429
// still holds everybody back.
func WithLimiter(l Limiter) Option {
	return func(cfg *config) {
		if l != nil && isNil(l) {
			cfg.refuse("WithLimiter", "the limiter is a nil %T; give a plain nil for none", l)
		}
		cfg.limiter = l
	}
}

// isNil reports whether an interface holds a nil pointer or function.
func isNil(v any) bool {
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map:
		return value.IsNil()
	}
	return false
}

// WithLogger logs each attempt: at level warn one that will be retried, at debug any
// other; and at warn, once, that Whop is going to retire the version of its API that the
// client asks for (the headers Deprecation and Sunset). The error that a send returns is
// not logged. nil, the default, logs nothing.
func WithLogger(l *slog.Logger) Option {
	return func(cfg *config) { cfg.logger = l }
}

// WithUserAgent puts a product, as in "shop/1.2", before the module's own in the
// User-Agent header.
func WithUserAgent(product string) Option {
	return func(cfg *config) {
		if err := headerSafe(product); err != nil {
			cfg.refuse("WithUserAgent", "the product %v", err)
		}
		cfg.product = strings.TrimSpace(product)
	}
}

// WithObserver calls f after every attempt, before the wait for the next one and with
// the context of the send. It is called in order, one at a time for a send, which waits
// for it; if the context ends meanwhile, the send returns and leaves f behind. f must be
// safe for concurrent use. nil is none.
func WithObserver(f func(context.Context, Attempt)) Option {
	return func(cfg *config) { cfg.observer = f }
}
