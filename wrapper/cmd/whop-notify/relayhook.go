package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// relayHookFlags choose who is told of dead letters.
type relayHookFlags struct {
	url, secretFile string
	secret          []byte
}

func (f *relayHookFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.url, "on-dead", "", "`URL` to POST to when a notification is given up; retried until it is answered with 2xx")
	flags.StringVar(&f.secretFile, "on-dead-secret-file", "", "`FILE` with the secret, of at least 16 bytes, that signs these requests")
}

const minHookSecret = 16 // bytes

func (f *relayHookFlags) check(flags *pflag.FlagSet, insecure bool) error {
	if !flags.Changed("on-dead") && !flags.Changed("on-dead-secret-file") {
		return nil
	}
	if f.url == "" || f.secretFile == "" {
		return errors.New("--on-dead and --on-dead-secret-file go together")
	}
	// The URL may have a secret in it, and is not repeated.
	u, err := url.Parse(f.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("--on-dead is not an http or https URL")
	case u.User != nil:
		return errors.New("--on-dead has credentials in it, which show in ps: requests are signed, so none are needed")
	case u.Scheme == "http" && !isLoopback(u.Hostname()) && !insecure:
		return errors.New("--on-dead is http to another machine, where idempotency keys and reasons can be read on the way: use https, or --insecure-http")
	}
	secret, err := readKey("--on-dead-secret-file", f.secretFile)
	if err != nil {
		return err
	}
	f.secret = []byte(secret)
	if encoded, ok := strings.CutPrefix(secret, "whsec_"); ok {
		if f.secret, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return errors.New("--on-dead-secret-file: what follows whsec_ is not base64")
		}
	}
	if len(f.secret) < minHookSecret {
		return fmt.Errorf("--on-dead-secret-file: the secret has %d bytes, under %d, and could be guessed", len(f.secret), minHookSecret)
	}
	return nil
}

// relayHook tells of dead letters over HTTP, signed as Standard Webhooks are.
type relayHook struct {
	url    string
	secret []byte
	client *http.Client
	logger *slog.Logger
	warned seldom
}

func newRelayHook(f *relayHookFlags, logger *slog.Logger) *relayHook {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	return &relayHook{url: f.url, secret: f.secret, logger: logger, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// hookConsumer is what relays share: each dead letter of a queue is told by one of them.
const hookConsumer = "on-dead"

// watch tells until ctx ends. It fails only where the queue is gone, of which others say more.
func (h *relayHook) watch(ctx context.Context, q *queue.Queue) {
	defer h.client.CloseIdleConnections()
	if err := q.WatchDead(ctx, hookConsumer, h.tell); err != nil {
		h.logger.Error("dead letters are not told to --on-dead any more", "error", err)
	}
}

// deadEvent is what a hook is told.
type deadEvent struct {
	Type string    `json:"type"`
	At   time.Time `json:"timestamp"` // when it was given up
	Data struct {
		relayed
		DeadLetter uint64 `json:"dead_letter"` // its ID for "whop-notify dead"
	} `json:"data"`
}

func (h *relayHook) tell(ctx context.Context, letter queue.DeadLetter) error {
	event := deadEvent{Type: "notification.dead", At: letter.DiedAt.UTC()}
	event.Data.relayed = relayed{
		Key: letter.IdempotencyKey, State: "dead", Attempts: letter.Deliveries,
		Outcome: letter.Outcome.String(), Reason: letter.Reason, EnqueuedAt: letter.EnqueuedAt,
	}
	event.Data.DeadLetter = letter.ID
	err := h.post(ctx, fmt.Sprintf("dead_%d_%d", letter.ID, letter.DiedAt.UnixNano()), event)
	if err != nil && ctx.Err() == nil || errors.Is(err, context.DeadlineExceeded) {
		h.warn(letter, err)
	}
	return err
}

// post sends an event. id is the same whenever it is sent again.
func (h *relayHook) post(ctx context.Context, id string, event deadEvent) error {
	body, err := json.Marshal(event)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("--on-dead is not a URL")
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, h.secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, at, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "whop-notify")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := h.client.Do(r)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %d", resp.StatusCode)
	}
	return nil
}

// warn logs that telling fails, once a minute.
func (h *relayHook) warn(letter queue.DeadLetter, err error) {
	if !h.warned.once(time.Minute) {
		return
	}
	h.logger.Warn("--on-dead could not be told of a dead letter, will try again", "dead_letter", letter.ID, "idempotency_key", oneLine(letter.IdempotencyKey), "error", oneLine(err.Error()))
}
