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
	var errs []error
	for i, opt := range opts {
		if opt == nil {
			errs = append(errs, badOption("NewClient", "option %d of %d is nil", i+1, len(opts)))
			continue
		}
		if err := opt(cfg); err != nil {
			errs = append(errs, err)
		}
	}

	if cfg.token == nil && len(errs) == 0 {
		key := os.Getenv("WHOP_API_KEY")
		token, err := staticToken(key)
		switch {
		case key == "":
			errs = append(errs, badOption("WithAPIKey", "there is no API key: use WithAPIKey or WithTokenSource, or set WHOP_API_KEY"))
		case err != nil:
			errs = append(errs, badOption("WHOP_API_KEY", "%v", err))
		}
		cfg.token = token
	}

	from := "WithBaseURL"
	if cfg.baseURL == nil {
		from = "WHOP_BASE_URL"
		cfg.baseURL = new(cmp.Or(os.Getenv("WHOP_BASE_URL"), DefaultBaseURL))
	}
	base, err := checkBaseURL(*cfg.baseURL, cfg.insecureHTTP)
	if err != nil {
		errs = append(errs, badOption(from, "the base URL %v", err))
	}
	cfg.baseURL = &base

	from = "WithAPIVersion"
	if cfg.apiVersion == nil {
		from = "WHOP_API_VERSION"
		cfg.apiVersion = new(cmp.Or(os.Getenv("WHOP_API_VERSION"), DefaultAPIVersion))
	}
	if cfg.contract, err = contractOf(*cfg.apiVersion); err != nil {
		errs = append(errs, badOption(from, "the date %q %v", *cfg.apiVersion, err))
	}

	cfg.policy = cfg.policy.withDefaults()
	return cfg, errors.Join(errs...)
}

// checkBaseURL gives the URL with the slash at the end that the generated client
// resolves paths against. No error repeats the URL, which may hold a secret.
func checkBaseURL(raw string, insecureHTTP bool) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "", errors.New("is empty")
	case !strings.Contains(raw, "://"):
		return "", errors.New("has no scheme; it starts with https://")
	case err != nil:
		if parse, ok := errors.AsType[*url.Error](err); ok {
			err = parse.Err
		}
		return "", fmt.Errorf("is not a URL: %s", withoutQuotes(err))
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("has the scheme %q; only https and http are known", u.Scheme)
	case u.User != nil:
		return "", errors.New("has credentials in it; give them with WithAPIKey or WithTokenSource")
	case u.Hostname() == "":
		return "", errors.New("has no host")
	case u.RawQuery != "" || u.ForceQuery:
		return "", errors.New("has a query")
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return "", errors.New("has a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("has the port %s, which is not between 1 and 65535", port)
		}
	}
	if u.Scheme == "http" && !insecureHTTP && !loopback(u.Hostname()) {
		return "", errors.New("is plain http to a host that is not loopback, where anybody on the way can read the key; use https, or WithInsecureHTTP")
	}
	return strings.TrimRight(u.String(), "/") + "/", nil
}

// withoutQuotes gives what url.Parse has against a URL without the part of it that it
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
