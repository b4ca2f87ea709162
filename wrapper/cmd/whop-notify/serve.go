package main

import (
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/cmd/whop-notify/internal/inbox"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// serveFlags are those of the command serve.
type serveFlags struct {
	addr       string
	key        string
	keyFile    string
	apiVersion string
	rateLimit  int
	fail       []int
	keep       int
}

func newServe() *cobra.Command {
	f := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a local stand-in of Whop's notifications API",
		Long: `Serve a stand-in of Whop's notifications API, to develop a client in any language
against. It checks the key and the version date, checks the body against Whop's
specification of that date, and remembers idempotency keys. It delivers nothing, and forgets
everything when it exits.

Up to the date 2026-07-20 the target is company_id and the answer 200; later versions have
account_id and 202. A request without the header Api-Version-Date gets --api-version.

Its page, http://127.0.0.1:8080/, shows what would be notified, as it comes, and has buttons
for what may go wrong. Programs read and script the same under /_/, as JSON: see
http://127.0.0.1:8080/_/openapi.yml. On an address that other machines reach, both take
the API key, as a bearer token or the password of basic authentication.

It prints its address on standard output once it listens, and that of the page and a line for
each request on standard error. SIGINT (Ctrl-C) and SIGTERM end it.

It accepts the key of --api-key, --api-key-file or WHOP_API_KEY, or else a random one that it
prints on standard error.`,
		Example: `  # On port 8080, with a key of your choice
  whop-notify serve --api-key local-test-key

  # Point a client at it, in another terminal
  export WHOP_API_KEY=local-test-key WHOP_BASE_URL=http://127.0.0.1:8080/api/v1
  whop-notify send --company biz_xxxxxxxxxxxxxx --everybody --title Paid --content "Invoice 7 is paid"

  # On a free port; the first two requests fail, then 5 a minute pass
  whop-notify serve --addr 127.0.0.1:0 --fail 503,429 --rate-limit 5`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8080", "`HOST:PORT` to listen on; port 0 picks a free one")
	flags.StringVar(&f.key, "api-key", "", "`KEY` to accept; for a stand-in only, not a real one")
	flags.StringVar(&f.keyFile, "api-key-file", "", "`FILE` with the key to accept")
	flags.StringVar(&f.apiVersion, "api-version", whop.DefaultAPIVersion, "`DATE` of the contract for requests without one, like the date that Whop pins a key to")
	flags.IntVar(&f.rateLimit, "rate-limit", 0, "answer 429 to more than `N` requests in 60 seconds; 0 for no limit")
	flags.IntSliceVar(&f.fail, "fail", nil, "answer the first requests with these error statuses, `N,...`, as in 503,429")
	flags.IntVar(&f.keep, "keep", 1000, "keep the last `N` requests in memory")
	return cmd
}

func (f *serveFlags) run(cmd *cobra.Command) error {
	if err := checkEmptied(cmd.Flags()); err != nil {
		return usageError(err, "")
	}
	replies, err := f.check()
	if err != nil {
		return usageError(err, "")
	}
	key, err := f.chooseKey(cmd.Flags())
	if err != nil {
		return usageError(err, "")
	}

	ctx, stop := signalContext(cmd)
	defer stop()
	server, err := whoptest.New()
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	defer server.Close()
	listener, err := listen("--addr", f.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	stderr := cmd.ErrOrStderr()
	if key == "" {
		key = server.APIKey()
		fmt.Fprintf(stderr, "accepting the API key %s\n", key)
	}
	server.SetAPIKey(key)
	server.SetAPIVersion(f.apiVersion)
	server.SetRateLimit(f.rateLimit)
	server.SetHistoryLimit(f.keep)
	log := newLogWriter(stderr)
	defer log.close()
	server.SetLogger(requestLog(log, key))
	server.Script(replies...)
	config := f.inbox(server, listener.Addr(), key)
	front := newFront(config)
	defer front.Close() // before server, which waits for what is being served
	ended := make(chan error, 1)
	go func() {
		defer exitOnPanic(os.Stderr)
		ended <- front.Serve(listener)
	}()
	asked := ""
	if config.Key != "" {
		asked = ", with the API key as its password"
	}
	root := reachable("http://" + listener.Addr().String() + "/")
	fmt.Fprintf(stderr, "page on %s%s\n", root, asked)
	fmt.Fprintf(cmd.OutOrStdout(), "listening on %sapi/v1\n", root)

	select {
	case <-ctx.Done():
	case err := <-ended:
		return &exitError{code: exitNot, err: fmt.Errorf("stopped serving: %w", err)}
	}
	stop() // a second signal ends the process at once
	return nil
}

// inbox serves the requests that the server got. It needs the key, unless no other machine can
// reach it.
func (f *serveFlags) inbox(server *whoptest.Server, addr net.Addr, key string) inbox.Config {
	config := inbox.Config{Source: server, Controls: server, Else: server, Keep: f.keep, Secret: key}
	if tcp, ok := addr.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		config.Key = key
	}
	config.Host, _, _ = net.SplitHostPort(f.addr)
	return config
}

// newFront serves a stand-in and its inbox.
func newFront(config inbox.Config) *http.Server {
	return &http.Server{Handler: inbox.New(config), ReadHeaderTimeout: 10 * time.Second, ErrorLog: discardLog}
}

var discardLog = stdlog.New(io.Discard, "", 0)

func (f *serveFlags) check() ([]whoptest.Reply, error) {
	if _, err := checkAddress("--addr", f.addr, "127.0.0.1:8080"); err != nil {
		return nil, err
	}
	if f.rateLimit < 0 {
		return nil, fmt.Errorf("--rate-limit %d is negative", f.rateLimit)
	}
	if f.keep < 1 {
		return nil, fmt.Errorf("--keep %d is under 1", f.keep)
	}
	if known := whoptest.APIVersions(); !slices.Contains(known, f.apiVersion) {
		return nil, fmt.Errorf("--api-version %q is not a version of Whop's API: one of %s", f.apiVersion, strings.Join(known, ", "))
	}
	replies := make([]whoptest.Reply, len(f.fail))
	for i, status := range f.fail {
		reply, err := inbox.Failure(status)
		if err != nil {
			return nil, fmt.Errorf("--fail: %w", err)
		}
		replies[i] = reply
	}
	return replies, nil
}

// chooseKey returns the key to accept, "" for a random one.
func (f *serveFlags) chooseKey(flags *pflag.FlagSet) (string, error) {
	key, from := os.Getenv("WHOP_API_KEY"), "WHOP_API_KEY"
	switch given, inFile := flags.Changed("api-key"), flags.Changed("api-key-file"); {
	case given && inFile:
		return "", errors.New("--api-key and --api-key-file exclude each other: give one of them")
	case given && f.key == "":
		return "", errors.New("--api-key is empty; leave it out for a random one")
	case given:
		key, from = f.key, "--api-key"
	case inFile:
		var err error
		if key, err = readKey("--api-key-file", f.keyFile); err != nil {
			return "", err
		}
		from = "--api-key-file"
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s: the key has a character that no client can send: only printable ASCII without spaces can be one", from)
	}
	return key, nil
}

// reachable replaces the address of all interfaces by the loopback address, since not every
// system can connect to the former.
func reachable(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}
