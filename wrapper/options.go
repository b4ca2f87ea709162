package wrapper

import (
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
	// DefaultAPIVersion is the Api-Version-Date that serves the contract this module is
	// generated from: the one that Whop's TypeScript SDK 0.0.42 sends with it. Without
	// the header, the contract would depend on the age of the API key.
	DefaultAPIVersion = "2026-07-20"

	defaultAttemptTimeout = 30 * time.Second
)

// Option configures a [Client]. Of two options for the same thing the last counts.
type Option func(*config) error

type config struct {
	token          func(context.Context) (string, error)
	baseURL        *string
	insecureHTTP   bool
	apiVersion     *string
	httpClient     *http.Client
	attemptTimeout time.Duration
	policy         RetryPolicy
	limiter        Limiter
	observer       observer
	product        string
}

// WithAPIKey authenticates with a company API key, an app API key, a company-scoped
// JWT or a user's OAuth token. Without it and [WithTokenSource], the key is that of the
// environment variable WHOP_API_KEY. An empty key, or one with other characters than
// printable ASCII without spaces, is an error.
func WithAPIKey(key string) Option {
	return func(cfg *config) error {
		token, err := staticToken(key)
		if err != nil {
			return badOption("WithAPIKey", "%v", err)
		}
		cfg.token = token
		return nil
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
// time-out. If f fails, or gives what no header can carry, the send ends, and that
// attempt was not sent. f must be safe for concurrent use.
//
// Whop keeps idempotency keys and its rate limit apart by credential. So f gives tokens
// of one user for all attempts of a send; and with tokens of many users the default
// limiter, which counts for the whole client, is stricter than it needs to be, and a
// 429 of one holds back the others.
func WithTokenSource(f func(context.Context) (string, error)) Option {
	return func(cfg *config) error {
		if f == nil {
			return badOption("WithTokenSource", "the token source is nil")
		}
		cfg.token = func(ctx context.Context) (string, error) {
			token, err := f(ctx)
			if err != nil {
				return "", fmt.Errorf("token source: %w", err)
			}
			if err := checkToken(token); err != nil {
				return "", fmt.Errorf("token source: the token %w", err)
			}
			return token, nil
		}
		return nil
	}
}

// WithBaseURL sends to another address, such as [SandboxBaseURL] or that of a test
// server. Without it, the environment variable WHOP_BASE_URL counts, else
// [DefaultBaseURL]. It is an absolute URL without credentials, query or fragment;
// plain http is for loopback addresses, or needs [WithInsecureHTTP].
func WithBaseURL(u string) Option {
	return func(cfg *config) error {
		cfg.baseURL = &u
		return nil
	}
}

// WithInsecureHTTP allows plain http to a host that is not loopback. The key then
// crosses the network readable.
func WithInsecureHTTP() Option {
	return func(cfg *config) error {
		cfg.insecureHTTP = true
		return nil
	}
}

// WithAPIVersion picks the dated contract, as the header Api-Version-Date. Without it,
// the environment variable WHOP_API_VERSION counts, else [DefaultAPIVersion]. With ""
// no header is sent, and Whop applies the version that the API key is pinned to.
func WithAPIVersion(date string) Option {
	return func(cfg *config) error {
		if err := headerSafe(date); err != nil {
			return badOption("WithAPIVersion", "the date %v", err)
		}
		cfg.apiVersion = &date
		return nil
	}
}

// WithHTTPClient uses the transport, cookie jar and time-out of c; the time-out bounds
// an attempt, as [WithAttemptTimeout] does, and the shorter of the two counts.
// Redirects are not followed, whatever its CheckRedirect. c is not changed. Without a
// transport, all clients share a copy of [http.DefaultTransport], with its proxies and
// time-outs, that keeps up to 1,024 idle connections.
//
// The transport can be any [http.RoundTripper], such as one that traces or counts. The
// client sees how far a request got by the hooks of [net/http/httptrace] in the
// request's context and by the types of errors. With another type than
// [*http.Transport], an error is [Unknown] more often, and never less:
//
//   - Without the context handed on, only an error that is by its type one of DNS,
//     dialling, the proxy, a certificate, or a refused HTTP/2 stream is [NotSent].
//   - An attempt in which the transport asked for another connection after it wrote
//     headers on a first is [Unknown], also where it got none.
//   - An error of the transport's own, say of a circuit breaker that is open, is
//     [Unknown], and retried.
//
// A transport of another make that calls the hook GetConn must call WroteHeaders too.
// None should send a request again by itself: neither AtMostOnce nor the limiter would
// know of it. The idempotency key is in the header map as "idempotency-key", in lower
// case, where Header.Get does not find it; under its canonical name [*http.Transport]
// would take the request for one that it may deliver again.
func WithHTTPClient(c *http.Client) Option {
	return func(cfg *config) error {
		if c == nil {
			return badOption("WithHTTPClient", "the client is nil")
		}
		if c.Timeout < 0 {
			return badOption("WithHTTPClient", "the time-out %v is negative", c.Timeout)
		}
		cfg.httpClient = c
		return nil
	}
}

// WithAttemptTimeout bounds each attempt, the reading of the answer included. Default,
// also for 0, is 30 s. The whole of a send is bounded by its context.
func WithAttemptTimeout(d time.Duration) Option {
	return func(cfg *config) error {
		if d < 0 {
			return badOption("WithAttemptTimeout", "%v is negative", d)
		}
		if d == 0 {
			d = defaultAttemptTimeout
		}
		cfg.attemptTimeout = d
		return nil
	}
}

// WithRetryPolicy changes how often and how patiently a send is retried. Negative
// fields are an error.
func WithRetryPolicy(p RetryPolicy) Option {
	return func(cfg *config) error {
		for _, f := range []struct {
			name     string
			negative bool
		}{
			{"MaxAttempts", p.MaxAttempts < 0},
			{"BaseDelay", p.BaseDelay < 0},
			{"MaxDelay", p.MaxDelay < 0},
			{"MaxRetryAfter", p.MaxRetryAfter < 0},
		} {
			if f.negative {
				return badOption("WithRetryPolicy", "%s is negative", f.name)
			}
		}
		cfg.policy = p
		return nil
	}
}

// WithLimiter paces the attempts in place of the default limiter, which is under
// Whop's 600 a minute. Clients with the same credential share Whop's limit, so give
// them the same limiter. nil means no pacing; a 429 still holds everybody back.
func WithLimiter(l Limiter) Option {
	return func(cfg *config) error {
		if v := reflect.ValueOf(l); v.Kind() == reflect.Pointer && v.IsNil() {
			return badOption("WithLimiter", "the limiter is a nil %T; give a plain nil for none", l)
		}
		cfg.limiter = l
		return nil
	}
}

// WithLogger logs each attempt: at level warn one that will be retried, at debug any
// other. The error that a send returns is not logged. nil, the default, logs nothing.
func WithLogger(l *slog.Logger) Option {
	return func(cfg *config) error {
		cfg.observer.logger = l
		return nil
	}
}

// WithUserAgent puts a product, as in "shop/1.2", before the module's own in the
// User-Agent header.
func WithUserAgent(product string) Option {
	return func(cfg *config) error {
		if err := headerSafe(product); err != nil {
			return badOption("WithUserAgent", "the product %v", err)
		}
		cfg.product = strings.TrimSpace(product)
		return nil
	}
}

// WithObserver calls f after every attempt, before the wait for the next one and with
// the context of the send. f must be safe for concurrent use, and quick. nil is none.
func WithObserver(f func(context.Context, Attempt)) Option {
	return func(cfg *config) error {
		cfg.observer.f = f
		return nil
	}
}
