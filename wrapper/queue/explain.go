package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// errDenied marks a request for which the user has no right.
var errDenied = errors.New("permission denied")

// explain says what is wrong with a server, and how to fix it. before is the connection's last
// error before the request: the server does not answer a denied request, it only sends a
// separate error.
func (q *Queue) explain(err, before error) error {
	if err == nil {
		return nil
	}
	last := q.nc.LastError()
	denied := errors.Is(last, nats.ErrPermissionViolation) && last != before
	api, _ := errors.AsType[*jetstream.APIError](err)
	has := func(code jetstream.ErrorCode) bool { return api != nil && api.ErrorCode == code }
	switch {
	case errors.Is(err, nats.ErrConnectionClosed):
		return fmt.Errorf("the connection to NATS is closed: %w", err)
	case has(jetstream.JSErrCodeJetStreamNotEnabledForAccount):
		return fmt.Errorf("the NATS account of this user has no JetStream: enable it in the server's configuration (accounts: NAME: {jetstream: enabled}): %w", err)
	case errors.Is(err, nats.ErrNoResponders) && q.opened:
		return fmt.Errorf("no JetStream answers: its servers start, stop or lack a leader, or it was turned off; nats server report jetstream shows which: %w", err)
	case has(jetstream.JSErrCodeJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("the NATS server has no JetStream: start it with -js, or with a jetstream block in its configuration: %w", err)
	case denied && api == nil:
		return fmt.Errorf("the NATS user lacks a right: allow it to publish to $JS.API.>, $JS.ACK.>, $KV.%[1]s-limits.> and %[1]s.>, and to subscribe to _INBOX.>: %[2]s: %[3]w: %[4]w",
			q.name, oneLine(last.Error()), errDenied, err)
	case has(10074), has(10005):
		return fmt.Errorf("%d replicas need a cluster with as many servers that have JetStream and room: %w", q.replicas, err)
	case has(10065):
		return fmt.Errorf("another stream has taken subjects of the queue (%[1]s.>): give the queue another name, or remove that stream; nats stream ls --subject '%[1]s.>' names it: %[2]w", q.name, err)
	case has(10023), has(10047), has(10002):
		return fmt.Errorf("the NATS server or account has no room for the queue's streams: raise max_file_store, or the account's limits: %w", err)
	case has(codeNotAvailable), has(codeNotLeader), errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		if !q.nc.IsConnected() {
			return fmt.Errorf("no connection to the NATS server (%s): %w", strings.Join(redacted(q.nc.Servers()), ", "), err)
		}
		return fmt.Errorf("JetStream did not answer in time: it is overloaded, or, since a cluster needs more than half of its servers, too many of them are away; nats server report jetstream shows which: %w", err)
	}
	return err
}

// redacted takes passwords out of URLs.
func redacted(urls []string) []string {
	for i, u := range urls {
		if scheme, rest, ok := strings.Cut(u, "://"); ok {
			if _, host, ok := strings.Cut(rest, "@"); ok {
				urls[i] = scheme + "://" + host
			}
		}
	}
	return urls
}
