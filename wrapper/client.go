package wrapper

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/whopnotify/whopnotify/gen"
)

// Client sends notifications. It is made by [NewClient], safe for concurrent use, and
// has nothing to close: it starts no goroutine that outlives a call. One client serves
// a whole program; its rate limiter, retry budget and hold after a 429 are shared by
// everything sent through it.
type Client struct {
	token          func(context.Context) (string, error) // keeps the key where no formatting verb reaches it
	server         string
	template       *http.Request
	transport      http.RoundTripper
	traits         transportTraits
	jar            http.CookieJar
	attemptTimeout time.Duration
	policy         RetryPolicy
	limiter        Limiter
	logger         *slog.Logger
	observer       func(context.Context, Attempt)
	header         http.Header // of every request

	hold   hold
	budget budget
	http1  atomic.Bool // the server speaks it, as far as is known
}

// NewClient makes a client. With no options it takes the API key from WHOP_API_KEY and
// sends to Whop's production API. It checks the whole configuration, does no network,
// and its error names every option or variable that is wrong, never a key.
func NewClient(opts ...Option) (*Client, error) {
	cfg, err := configure(opts)
	if err != nil {
		return nil, fmt.Errorf("whop: %w", err)
	}
	c := &Client{
		token:          cfg.token,
		server:         *cfg.baseURL,
		transport:      cfg.httpClient.Transport,
		jar:            cfg.httpClient.Jar,
		attemptTimeout: cfg.attemptTimeout,
		policy:         cfg.policy,
		limiter:        cfg.limiter,
		logger:         cfg.logger,
		observer:       cfg.observer,
		header: http.Header{
			"Accept":     {"application/json"},
			"User-Agent": {userAgent(cfg.product)},
		},
	}
	if c.transport == nil {
		c.transport = defaultTransport()
	}
	c.traits = traitsOf(c.transport)
	if t := cfg.httpClient.Timeout; t > 0 {
		c.attemptTimeout = min(c.attemptTimeout, t)
	}
	if *cfg.apiVersion != "" {
		c.header["Api-Version-Date"] = []string{*cfg.apiVersion}
	}
	c.template, err = gen.NewCreateNotificationRequestWithBody(c.server, "application/json", nil)
	if err != nil {
		return nil, fmt.Errorf("whop: %w", err)
	}
	c.addHeaders(c.template.Header)
	c.http1.Store(c.template.URL.Scheme == "http")
	return c, nil
}

// addHeaders adds the headers of every request that are not there yet.
func (c *Client) addHeaders(h http.Header) {
	for name, values := range c.header {
		if _, set := h[name]; !set {
			h[name] = values
		}
	}
}

// RetryPolicy is the policy the client retries by, its defaults filled in.
func (c *Client) RetryPolicy() RetryPolicy { return c.policy }

// String names the base URL and nothing else of the client.
func (c *Client) String() string { return "whop client of " + c.server }

// LogValue is what String gives.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
