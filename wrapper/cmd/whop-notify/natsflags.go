package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/pflag"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// natsFlags choose a queue on a NATS server.
type natsFlags struct {
	urls, creds   string
	ca, cert, key string
	name          string
	creates       bool // the queue where it is missing, with so many
	replicas      int
}

// register adds the flags of every command that uses a queue on a server.
func (f *natsFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.urls, "nats", "", "`URL` of the NATS server, or those of a cluster, separated by commas, in place of NATS_URL,\nas in nats://127.0.0.1:4222 or tls://nats-1:4222,tls://nats-2:4222")
	flags.StringVar(&f.creds, "nats-creds", "", "`FILE` with NATS credentials, in place of NATS_CREDS")
	flags.StringVar(&f.ca, "nats-ca", "", "`FILE` with the certificates to trust, in place of the system's")
	flags.StringVar(&f.cert, "nats-cert", "", "`FILE` with a client certificate, with --nats-key")
	flags.StringVar(&f.key, "nats-key", "", "`FILE` with its private key")
	flags.StringVar(&f.name, "queue", defaultQueue, "`NAME` of the queue; each API key needs one of its own")
}

// registerReplicas is for the commands that create a missing queue.
func (f *natsFlags) registerReplicas(flags *pflag.FlagSet) {
	f.creates = true
	flags.IntVar(&f.replicas, "replicas", 1, "keep each notification on `N` servers of the cluster, if the queue is new")
}

// address returns the URLs of the flag or the environment.
func (f *natsFlags) address() (string, error) {
	if f.urls == "" {
		if address := os.Getenv("NATS_URL"); address != "" {
			return address, nil
		}
		return "", errors.New("no NATS server: give --nats URL, or set NATS_URL")
	}
	if strings.Contains(f.urls, "@") {
		return "", errors.New("--nats has credentials in it, which show in ps: put the URL into NATS_URL, or give --nats-creds FILE")
	}
	return f.urls, nil
}

// where returns the flags that another command needs to find the same queue, unless the
// environment has them.
func (f *natsFlags) where() string {
	flags := ""
	if f.urls != "" {
		flags += " --nats " + shellQuoted(f.urls)
	}
	if f.name != defaultQueue {
		flags += " --queue " + f.name
	}
	return flags
}

const defaultQueue = "whop-notify"

// withoutPasswords returns the address in a form that may be shown.
func withoutPasswords(address string) string {
	var shown []string
	for one := range strings.SplitSeq(address, ",") {
		one = strings.TrimSpace(one)
		if at := strings.LastIndex(one, "@"); at >= 0 {
			scheme, _, found := strings.Cut(one, "://")
			if !found {
				scheme = "nats" // as the client reads it
			}
			one = scheme + "://" + one[at+1:]
		}
		shown = append(shown, one)
	}
	return oneLine(strings.Join(shown, ", "))
}

// connectError names the server. It describes a wrong URL without quoting it, since any part may
// be the password.
func connectError(address string, err error) error {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		reason, _, _ := strings.Cut(parse.Err.Error(), `"`)
		return fmt.Errorf("the URL of the NATS server is not one: %s", strings.TrimRight(reason, " :"))
	}
	if errors.Is(err, nats.ErrNoServers) {
		return fmt.Errorf("the NATS server %s cannot be reached: does it run there, and is the port right?", withoutPasswords(address))
	}
	return fmt.Errorf("the NATS server %s: %w", withoutPasswords(address), err)
}

func (f *natsFlags) check() error {
	if _, err := f.address(); err != nil {
		return err
	}
	if f.creates && (f.replicas < 1 || f.replicas > 5) {
		return fmt.Errorf("--replicas %d is not between 1 and 5", f.replicas)
	}
	if (f.cert == "") != (f.key == "") {
		return errors.New("--nats-cert and --nats-key go together")
	}
	if !queueName.MatchString(f.name) {
		return fmt.Errorf("--queue %q is not a name of up to 64 letters, digits, - and _", f.name)
	}
	return nil
}

// queueName is what queue.WithName accepts.
var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// checkUnused refuses the flags of a server where --state says that there is none.
func (f *natsFlags) checkUnused(flags *pflag.FlagSet) error {
	if f.urls != "" {
		return errors.New("--state and --nats exclude each other")
	}
	for _, name := range []string{"nats-creds", "nats-ca", "nats-cert", "nats-key", "queue", "replicas"} {
		if flags.Changed(name) {
			return fmt.Errorf("--%s is for --nats, not --state", name)
		}
	}
	return nil
}

// open connects, and opens the queue. The function that it returns closes the connection.
func (f *natsFlags) open(ctx context.Context, logger *slog.Logger, opts ...queue.Option) (*queue.Queue, func(), error) {
	address, err := f.address()
	if err != nil {
		return nil, nil, err
	}
	connect := []nats.Option{
		nats.Name("whop-notify"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			logger.Warn("NATS", "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				logger.Warn("lost the NATS server, will connect again", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			logger.Info("connected to the NATS server again", "server", nc.ConnectedServerName())
		}),
	}
	if creds := f.creds; creds != "" || os.Getenv("NATS_CREDS") != "" {
		if creds == "" {
			creds = os.Getenv("NATS_CREDS")
		}
		connect = append(connect, nats.UserCredentials(creds))
	}
	if f.ca != "" {
		connect = append(connect, nats.RootCAs(f.ca))
	}
	if f.cert != "" {
		connect = append(connect, nats.ClientCert(f.cert, f.key))
	}
	nc, err := nats.Connect(address, connect...)
	if err != nil {
		return nil, nil, connectError(address, err)
	}
	opts = append(opts, queue.WithName(f.name))
	if f.creates {
		opts = append(opts, queue.WithReplicas(f.replicas))
	} else if err := f.mustExist(ctx, nc); err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("the NATS server %s: %w", withoutPasswords(address), err)
	}
	q, err := openQueue(ctx, nc, "no answer from the NATS server within 15 s: does it have JetStream?", opts...)
	if err != nil {
		nc.Close()
		return nil, nil, fmt.Errorf("the NATS server %s: %w", withoutPasswords(address), err)
	}
	return q, nc.Close, nil
}

// mustExist keeps a read-only command from creating a queue, for example under a mistyped name.
func (f *natsFlags) mustExist(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.Stream(ctx, f.name)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("there is no queue %q; is --queue right?", f.name)
	}
	return nil // opening the queue reports anything else
}

// openQueue opens a queue within 15 s. late says what it means if it takes longer.
func openQueue(ctx context.Context, nc *nats.Conn, late string, opts ...queue.Option) (*queue.Queue, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 15*time.Second, errors.New(late))
	defer cancel()
	q, err := queue.Open(ctx, nc, opts...)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", err, context.Cause(ctx))
	}
	return q, err
}
