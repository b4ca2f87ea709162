package wrapper

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// configure applies the options, then the environment and the defaults to what they
// left open. It reports everything that is wrong at once.
func configure(opts []Option) (*config, error) {
	cfg := &config{
		httpClient:     &http.Client{},
		attemptTimeout: defaultAttemptTimeout,
		limiter:        newSlidingWindow(),
	}
	for i, opt := range opts {
		if opt == nil {
			cfg.refuse("NewClient", "option %d of %d is nil", i+1, len(opts))
			continue
		}
		opt(cfg)
	}

	if !cfg.authenticated {
		key := os.Getenv("WHOP_API_KEY")
		var err error
		cfg.token, err = staticToken(key)
		switch {
		case key == "":
			cfg.refuse("WithAPIKey", "there is no API key: use WithAPIKey or WithTokenSource, or set WHOP_API_KEY")
		case err != nil:
			cfg.refuse("WHOP_API_KEY", "%v", err)
		}
	}

	from, what := "WithBaseURL", "the base URL"
	if cfg.baseURL == nil {
		from, what = "WHOP_BASE_URL", "WHOP_BASE_URL"
		cfg.baseURL = new(cmp.Or(os.Getenv("WHOP_BASE_URL"), DefaultBaseURL))
	}
	base, insecure, err := checkBaseURL(*cfg.baseURL)
	switch {
	case err != nil:
		cfg.refuse(from, "%v", err)
	case insecure && !cfg.insecureHTTP:
		cfg.refuse("WithInsecureHTTP",
			"is needed for %s, which is plain http to a host that is not loopback: anybody on the way can read the key. Better use https", what)
	}
	cfg.baseURL = &base

	from = "WithAPIVersion"
	if cfg.apiVersion == nil {
		from = "WHOP_API_VERSION"
		cfg.apiVersion = new(cmp.Or(os.Getenv("WHOP_API_VERSION"), DefaultAPIVersion))
	}
	if cfg.contract, err = contractOf(*cfg.apiVersion); err != nil {
		cfg.refuse(from, "%q %v", *cfg.apiVersion, err)
	}

	cfg.policy = cfg.policy.withDefaults()
	return cfg, errors.Join(cfg.errs...)
}

// checkBaseURL returns the URL with the slash at the end that the generated client
// resolves paths against, and whether the key would cross a network readable. No error
// repeats the URL, which may hold a secret.
func checkBaseURL(raw string) (base string, insecure bool, err error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "", false, errors.New("is empty")
	case !strings.Contains(raw, "://"):
		return "", false, errors.New("has no scheme; it starts with https://")
	case err != nil:
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return "", false, fmt.Errorf("is not a URL: %s", withoutQuotes(err))
	case u.Scheme != "https" && u.Scheme != "http":
		return "", false, fmt.Errorf("has the scheme %q; only https and http are known", u.Scheme)
	case u.User != nil:
		return "", false, errors.New("has credentials in it; the key belongs in WHOP_API_KEY, or an option of its own")
	case u.Hostname() == "":
		return "", false, errors.New("has no host")
	case u.RawQuery != "" || u.ForceQuery:
		return "", false, errors.New("has a query")
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return "", false, errors.New("has a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", false, fmt.Errorf("has the port %s, which is not between 1 and 65535", port)
		}
	}
	insecure = u.Scheme == "http" && !loopback(u.Hostname())
	return strings.TrimRight(u.String(), "/") + "/", insecure, nil
}

// withoutQuotes returns what url.Parse has against a URL without the part of it that it
// quotes.
func withoutQuotes(err error) string {
	text, _, _ := strings.Cut(err.Error(), `"`)
	return strings.TrimRight(text, " :")
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
