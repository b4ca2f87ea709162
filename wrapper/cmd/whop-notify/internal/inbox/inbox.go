// Package inbox serves what a stand-in of Whop's API got: to a person as a page, and to
// tests in any language as JSON under /_/, which openapi.yml describes.
package inbox

import (
	"context"
	"crypto/rand"
	_ "embed"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Source is where the requests come from: a [whoptest.Server], or whatever took them in.
type Source interface {
	Requests() []whoptest.Request
	Queued() []whoptest.Request
	Revision() int
	Changes(ctx context.Context, after int) iter.Seq[whoptest.Change]
}

// Controls change what the source does. A [whoptest.Server] has them.
type Controls interface {
	Script(replies ...whoptest.Reply)
	Scripted() []whoptest.Reply
	Forget()
}

// Config is what an inbox is made of.
type Config struct {
	Source   Source
	Controls Controls     // nil: the inbox can only be read
	Else     http.Handler // serves every path that is not the inbox's; nil: they are not found

	// Key is asked for, as a bearer token or the password of basic authentication. Without
	// one the inbox is for programs of this machine, and the Host of a request must be a
	// loopback one or that of Host: else any web page could reach it through a name of its
	// own that resolves to this machine.
	Key  string
	Host string

	Keep   int    // how many requests the source keeps, 0 for all
	Secret string // the API key that is masked where it is the value of a header
}

//go:embed openapi.yml
var description []byte

type inbox struct {
	Config
	origin    http.CrossOriginProtection
	epoch     string // of this process, in the IDs of events
	listeners atomic.Int32
	scripting sync.Mutex // between counting the replies and adding to them
}

// New makes the handler of an inbox.
func New(config Config) http.Handler {
	in := &inbox{Config: config, epoch: rand.Text()}
	if in.Else == nil {
		in.Else = http.NotFoundHandler()
	}
	operations := map[string]map[string]http.HandlerFunc{
		"/{$}":             {http.MethodGet: in.page},
		"/_/requests":      {http.MethodGet: in.requests},
		"/_/requests/{id}": {http.MethodGet: in.request},
		"/_/queued":        {http.MethodGet: in.queued},
		"/_/events":        {http.MethodGet: in.events},
		"/_/openapi.yml":   {http.MethodGet: in.describe},
		"/_/":              {},
	}
	if in.Controls != nil {
		operations["/_/requests"][http.MethodDelete] = in.forget
		operations["/_/script"] = map[string]http.HandlerFunc{http.MethodGet: in.scripted, http.MethodPost: in.script}
	}
	mux := http.NewServeMux()
	for path, methods := range operations {
		mux.Handle(path, in.guard(byMethod(methods)))
	}
	mux.Handle("/", in.Else)
	return mux
}

// byMethod serves an operation by its method, in the inbox's own words where there is none.
func byMethod(methods map[string]http.HandlerFunc) http.Handler {
	allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		serve := methods[method]
		switch {
		case len(methods) == 0:
			refuse(w, http.StatusNotFound, "There is no "+r.URL.Path+". GET /_/openapi.yml describes what there is.")
		case serve == nil:
			w.Header().Set("Allow", allowed)
			refuse(w, http.StatusMethodNotAllowed, "Allowed here: "+allowed+".")
		default:
			serve(w, r)
		}
	})
}

func (in *inbox) describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(description)
}

func (in *inbox) forget(w http.ResponseWriter, _ *http.Request) {
	in.Controls.Forget()
	w.WriteHeader(http.StatusNoContent)
}
