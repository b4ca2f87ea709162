package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const (
	maxListeners = 100
	keepAlive    = 15 * time.Second
	writeWithin  = 10 * time.Second // or the listener is gone
)

// events sends an event for each request that has ended. With progress=true it sends one
// when a request arrives too, and says when all was forgotten. Nothing is buffered: a
// listener that is slow, or was away, gets what is still kept.
func (in *inbox) events(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r, "progress")
	progress := r.URL.Query().Get("progress")
	if err == nil && progress != "" && progress != "true" {
		err = errors.New("progress is true, or left out")
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	defer in.listeners.Add(-1)
	if in.listeners.Add(1) > maxListeners {
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("There are %d listeners already.", maxListeners))
		return
	}
	stream := &stream{w: w, control: http.NewResponseController(w), filter: filter, progress: progress != "", epoch: in.epoch}
	seen := in.begin(r)
	w.Header().Set("Content-Type", "text/event-stream")
	if r.Method == http.MethodHead {
		return
	}
	_ = stream.control.SetReadDeadline(time.Time{}) // all was read: a bound on that ends no stream
	if !stream.send("retry: 1000\n\n") || stream.progress && !stream.send("event: hello\ndata: %s\n\n", encode(in.hello())) {
		return
	}
	for r.Context().Err() == nil {
		ctx, cancel := context.WithTimeout(r.Context(), keepAlive)
		for change := range in.Source.Changes(ctx, seen) {
			if seen = change.Revision; !stream.tell(change) {
				cancel()
				return
			}
		}
		idle := ctx.Err() != nil
		cancel()
		if !idle || !stream.send(": keep-alive\n\n") {
			return // the source has ended, or the listener is gone
		}
	}
}

// hello is what a page has to know before the requests.
func (in *inbox) hello() any {
	return struct {
		Process  string `json:"process"`
		ReadOnly bool   `json:"read_only"`
		Keep     int    `json:"keep"`
	}{in.epoch, in.Controls == nil, in.Keep}
}

// begin is the revision to begin after: that of the last event that the listener had. The
// event of another process means nothing here, so all is sent then; so it is where the
// listener asks for what came since a request.
func (in *inbox) begin(r *http.Request) int {
	last := r.Header.Get("Last-Event-ID")
	epoch, revision, _ := strings.Cut(last, "-")
	if n, err := strconv.Atoi(revision); err == nil && epoch == in.epoch {
		return n
	}
	if last != "" || r.URL.Query().Has("since") {
		return 0
	}
	return in.Source.Revision()
}

type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	filter   filter
	progress bool
	epoch    string
}

// tell sends the event of a change, and reports whether the listener is still there.
func (s *stream) tell(c whoptest.Change) bool {
	switch {
	case c.Forgotten && s.progress:
		return s.send("id: %s-%d\nevent: forgotten\ndata: {}\n\n", s.epoch, c.Revision)
	case c.Forgotten, c.Request.Ended.IsZero() && !s.progress, !s.filter.takes(c.Request):
		return true
	}
	return s.send("id: %s-%d\ndata: %s\n\n", s.epoch, c.Revision, encode(viewOf(c.Request)))
}

func (s *stream) send(format string, args ...any) bool {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return false
	}
	return s.control.Flush() == nil
}
