package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// clientFlags choose the server, the key and the patience of a client. Those of a single
// send alone are registered by registerOnce.
type clientFlags struct {
	keyFile        string
	key            string // its content, read once: it may be a pipe
	baseURL        string
	insecureHTTP   bool
	apiVersion     string
	timeout        time.Duration
	attemptTimeout time.Duration
	maxAttempts    int
	atMostOnce     bool
}

func (f *clientFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.keyFile, "api-key-file", "", "`FILE` with the API key, in place of WHOP_API_KEY")
	flags.StringVar(&f.baseURL, "base-url", "", "`URL` of the API, in place of WHOP_BASE_URL (default "+whop.DefaultBaseURL+")")
	flags.BoolVar(&f.insecureHTTP, "insecure-http", false, "allow http:// to a host that is not loopback: the key is readable on the way")
	flags.StringVar(&f.apiVersion, "api-version", "", "`DATE` of the contract, in place of WHOP_API_VERSION, or none for the key's own (default "+whop.DefaultAPIVersion+")")
	flags.DurationVar(&f.attemptTimeout, "attempt-timeout", 30*time.Second, "give up an attempt after `TIME`")
	flags.IntVar(&f.maxAttempts, "max-attempts", 3, "try `N` times at most, the first time included")
}

func (f *clientFlags) registerOnce(flags *pflag.FlagSet) {
	flags.DurationVar(&f.timeout, "timeout", 0, "give up after `TIME`, retries included (default: when the attempts are used up)")
	flags.BoolVar(&f.atMostOnce, "at-most-once", false, "never try again after an attempt that may have been queued")
}

// maxRetryAfter is the longest wait a server may ask for; over it, a send ends at once.
const maxRetryAfter = time.Minute

// check refuses numbers that the package would take for its defaults.
func (f *clientFlags) check() error {
	switch {
	case f.timeout < 0:
		return fmt.Errorf("--timeout %v is negative", f.timeout)
	case f.attemptTimeout <= 0:
		return fmt.Errorf("--attempt-timeout %v is not positive", f.attemptTimeout)
	case f.maxAttempts < 1:
		return fmt.Errorf("--max-attempts %d is under 1", f.maxAttempts)
	}
	return nil
}

// options returns the options of the flags that are set. The environment decides the rest.
func (f *clientFlags) options(flags *pflag.FlagSet) ([]whop.Option, error) {
	opts := []whop.Option{
		whop.WithUserAgent("whop-notify/" + version()),
		whop.WithAttemptTimeout(f.attemptTimeout),
		whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: f.maxAttempts, MaxRetryAfter: maxRetryAfter, AtMostOnce: f.atMostOnce}),
	}
	if f.insecureHTTP {
		opts = append(opts, whop.WithInsecureHTTP())
	}
	if flags.Changed("api-key-file") {
		if f.key == "" {
			var err error
			if f.key, err = readKey("--api-key-file", f.keyFile); err != nil {
				return nil, err
			}
		}
		opts = append(opts, whop.WithAPIKey(f.key))
	}
	if flags.Changed("base-url") {
		opts = append(opts, whop.WithBaseURL(f.baseURL))
	}
	if flags.Changed("api-version") {
		switch f.apiVersion {
		case "":
			return nil, errors.New("--api-version is empty; give a date, or none to send no version")
		case "none":
			opts = append(opts, whop.WithAPIVersion(""))
		default:
			opts = append(opts, whop.WithAPIVersion(f.apiVersion))
		}
	}
	return opts, nil
}

// newClient makes a client with a limiter and more options.
func (f *clientFlags) newClient(flags *pflag.FlagSet, limiter whop.Limiter, more ...whop.Option) (*whop.Client, error) {
	opts, err := f.options(flags)
	if err != nil {
		return nil, err
	}
	return whop.NewClient(append(append(opts, whop.WithLimiter(limiter)), more...)...)
}
