package wrapper

import (
	"fmt"
	"log/slog"
	"net/http"
)

// Client sends notifications. It is made by [NewClient], safe for concurrent use, and
// has nothing to close: it starts no goroutine that outlives a call. One client serves
// a whole program; its rate limiter, retry budget and hold after a 429 are shared by
// everything sent through it.
type Client struct {
	server   string
	template *http.Request
	header   http.Header // of every request
	version  string      // Api-Version-Date; "": none
	policy   RetryPolicy
	contract contract

	noBroadcasts bool // of WithoutBroadcasts

	exchanger exchanger
	pace      pace
	budget    budget
	observer  observer
}

// NewClient makes a client. With no options it takes the API key from WHOP_API_KEY and
// sends to Whop's production API. It checks the whole configuration, does no network,
// and its error joins an [*OptionError] for every option or variable that is wrong.
func NewClient(opts ...Option) (*Client, error) {
	cfg, err := configure(opts)
	if err != nil {
		return nil, err
	}
	c := &Client{
		server:   *cfg.baseURL,
		policy:   cfg.policy,
		version:  *cfg.apiVersion,
		contract: cfg.contract,

		noBroadcasts: cfg.noBroadcasts,
		header: http.Header{
			"Accept":     {"application/json"},
			"User-Agent": {userAgent(cfg.product)},
		},
		exchanger: exchanger{
			token:     cfg.token,
			transport: cfg.httpClient.Transport,
			jar:       cfg.httpClient.Jar,
			timeout:   cfg.attemptTimeout,
		},
		pace:     pace{limiter: cfg.limiter, hold: hold{longestWait: cfg.policy.MaxRetryAfter}},
		observer: observer{logger: cfg.logger, f: cfg.observer},
	}
	x := &c.exchanger
	if x.transport == nil {
		x.transport = defaultTransport()
	}
	x.traits = traitsOf(x.transport)
	if t := cfg.httpClient.Timeout; t > 0 {
		x.timeout = min(x.timeout, t)
	}
	c.template, err = c.contract.request(c.server)
	if err != nil {
		return nil, fmt.Errorf("whop: %w", err)
	}
	c.addHeaders(c.template.Header, c.version)
	x.http1.Store(c.template.URL.Scheme == "http")
	return c, nil
}

// addHeaders adds the headers of every request that are not there yet.
func (c *Client) addHeaders(h http.Header, version string) {
	for name, values := range c.header {
		if _, set := h[name]; !set {
			h[name] = values
		}
	}
	if _, set := h["Api-Version-Date"]; !set && version != "" {
		h["Api-Version-Date"] = []string{version}
	}
}

// RetryPolicy returns the policy of the client, with its defaults filled in.
func (c *Client) RetryPolicy() RetryPolicy {
	if c == nil {
		return RetryPolicy{}
	}
	return c.policy
}

// BaseURL returns the base URL, with a slash at its end.
func (c *Client) BaseURL() string {
	if c == nil {
		return ""
	}
	return c.server
}

// CloseIdleConnections closes the connections that no request uses, as
// [http.Client.CloseIdleConnections] does; the next request opens another. Nobody needs
// to call it: after an attempt's time-out the client does, and idle connections close after
// 90 seconds.
func (c *Client) CloseIdleConnections() {
	if c != nil {
		c.exchanger.closeIdleConnections()
	}
}

// String returns a text with the base URL, and nothing else of the client.
func (c *Client) String() string {
	if c == nil {
		return "whop client: nil"
	}
	return "whop client of " + c.server
}

// LogValue returns the same as String.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }
