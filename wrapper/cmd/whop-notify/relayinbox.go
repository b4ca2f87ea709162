package main

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/cmd/whop-notify/internal/inbox"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const (
	relayKeep      = 1000     // requests
	relayKeepBytes = 64 << 20 // of what they hold
	relayKeepBody  = 1 << 20  // of one body; the rest of it is not shown
)

// relayInbox is a relay with a page of what it took in, which can only be read.
type relayInbox struct {
	relay   http.Handler
	page    http.Handler
	secrets []string

	mu      sync.Mutex
	kept    []whoptest.Request // by ID, which is the revision too: a request comes here when it has ended
	size    int
	last    int
	changed chan struct{} // closed by the next request
	stopped chan struct{}
	stop    func()
}

// newRelayInbox asks for the key before it shows anything. No secret is kept.
func newRelayInbox(relay http.Handler, key string, secrets ...string) *relayInbox {
	in := &relayInbox{relay: relay, changed: make(chan struct{}), stopped: make(chan struct{})}
	in.stop = sync.OnceFunc(func() { close(in.stopped) })
	for _, secret := range append(secrets, key) {
		if secret != "" {
			in.secrets = append(in.secrets, secret)
		}
	}
	in.page = inbox.New(inbox.Config{Source: in, Key: key, Keep: relayKeep})
	return in
}

func (in *relayInbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case path == "/", strings.HasPrefix(path, "/_/"):
		in.page.ServeHTTP(w, r)
	case path == relayPath && r.Method == http.MethodPost:
		in.record(w, r)
	default:
		in.relay.ServeHTTP(w, r)
	}
}

// record serves a request, and keeps it with its answer.
func (in *relayInbox) record(w http.ResponseWriter, r *http.Request) {
	begun := time.Now()
	sent := &recordedBody{ReadCloser: r.Body}
	given := &recordedAnswer{ResponseWriter: w}
	recorded := r.WithContext(r.Context())
	recorded.Body = sent
	in.relay.ServeHTTP(given, recorded)

	header := w.Header()
	request := whoptest.Request{
		Method: r.Method, Path: r.URL.Path, Query: in.masked(r.URL.RawQuery), Header: in.maskedHeader(r.Header),
		Body: []byte(in.masked(string(sent.read))), Time: begun, Ended: time.Now(), Status: given.status,
		AnswerHeader: in.maskedHeader(header), AnswerBody: []byte(in.masked(string(given.written))),
		Replayed: header.Get(replayedHeader) != "",
	}
	request.Queued = given.status/100 == 2 && !request.Replayed
	if request.IdempotencyKey = request.AnswerHeader.Get(keyHeader); request.IdempotencyKey == "" {
		request.IdempotencyKey = request.Header.Get(keyHeader)
	}
	if request.APIVersion = request.Header.Get(versionHeader); request.APIVersion == "" {
		request.APIVersion = whop.DefaultAPIVersion
	}
	var refusal struct {
		Error struct{ Message string }
	}
	if json.Unmarshal(request.AnswerBody, &refusal) == nil {
		request.Reason = refusal.Error.Message
	}
	in.keep(request)
}

func (in *relayInbox) masked(text string) string {
	for _, secret := range in.secrets {
		text = strings.ReplaceAll(text, secret, "********")
	}
	return text
}

// maskedHeader is a copy without credentials.
func (in *relayInbox) maskedHeader(header http.Header) http.Header {
	copied := header.Clone()
	for name, values := range copied {
		for i, value := range values {
			if values[i] = in.masked(value); name == "Authorization" || name == "Proxy-Authorization" || name == "Cookie" {
				values[i] = "********"
			}
		}
	}
	return copied
}

func (in *relayInbox) keep(r whoptest.Request) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.last++
	r.ID = in.last
	in.kept = append(in.kept, r)
	in.size += sizeOf(r)
	drop := 0
	for drop < len(in.kept)-1 && (len(in.kept)-drop > relayKeep || in.size > relayKeepBytes) {
		in.size -= sizeOf(in.kept[drop])
		drop++
	}
	in.kept = slices.Delete(in.kept, 0, drop)
	close(in.changed)
	in.changed = make(chan struct{})
}

// sizeOf is about what a request takes in memory, in bytes.
func sizeOf(r whoptest.Request) int {
	size := len(r.Query) + len(r.Body) + len(r.AnswerBody)
	for _, values := range r.Header {
		for _, value := range values {
			size += len(value) + 100
		}
	}
	return size
}

// end ends the streams of those who watch.
func (in *relayInbox) end() { in.stop() }

func (in *relayInbox) Requests() []whoptest.Request { return in.after(0) }

// Queued are those that the relay stored.
func (in *relayInbox) Queued() []whoptest.Request {
	return slices.DeleteFunc(in.after(0), func(r whoptest.Request) bool { return !r.Queued })
}

func (in *relayInbox) Revision() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.last
}

func (in *relayInbox) after(revision int) []whoptest.Request {
	in.mu.Lock()
	defer in.mu.Unlock()
	at, _ := slices.BinarySearchFunc(in.kept, revision+1, func(r whoptest.Request, id int) int { return r.ID - id })
	return slices.Clone(in.kept[at:])
}

func (in *relayInbox) Changes(ctx context.Context, after int) iter.Seq[whoptest.Change] {
	return func(yield func(whoptest.Change) bool) {
		for {
			in.mu.Lock()
			changed := in.changed
			in.mu.Unlock()
			for _, r := range in.after(after) {
				if after = r.ID; !yield(whoptest.Change{Revision: r.ID, Request: r}) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-in.stopped:
				return
			}
		}
	}
}

// recordedBody remembers the beginning of what is read from it.
type recordedBody struct {
	io.ReadCloser
	read []byte
}

func (b *recordedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = append(b.read, p[:min(n, relayKeepBody-len(b.read))]...)
	return n, err
}

// recordedAnswer remembers what was answered.
type recordedAnswer struct {
	http.ResponseWriter
	status  int
	written []byte
}

func (a *recordedAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *recordedAnswer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.written = append(a.written, p[:n]...)
	return n, err
}

func (a *recordedAnswer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
