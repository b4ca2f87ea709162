package inbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// requestView is a request in a list.
type requestView struct {
	ID             int             `json:"id"`
	ReceivedAt     time.Time       `json:"received_at"`
	EndedAt        *time.Time      `json:"ended_at"` // nil while it is being served
	Method         string          `json:"method"`
	Path           string          `json:"path"`
	IdempotencyKey string          `json:"idempotency_key"`
	APIVersion     string          `json:"api_version"`
	Status         int             `json:"status"` // 0: no answer
	Replayed       bool            `json:"replayed"`
	Queued         bool            `json:"queued"`
	Scripted       string          `json:"scripted"`
	Error          string          `json:"error"`
	Body           json.RawMessage `json:"body"`
}

func viewOf(r whoptest.Request) requestView {
	v := requestView{
		ID: r.ID, ReceivedAt: r.Time.UTC(), Method: r.Method, Path: r.Path,
		IdempotencyKey: r.IdempotencyKey, APIVersion: r.APIVersion,
		Status: r.Status, Replayed: r.Replayed, Queued: r.Queued, Scripted: r.Reply, Error: r.Reason,
		Body: bodyOf(r.Body),
	}
	if !r.Ended.IsZero() {
		v.EndedAt = new(r.Ended.UTC())
	}
	return v
}

// bodyOf is the JSON of a body, as a string if it is none, and null if there is nothing.
func bodyOf(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return nil
	case json.Valid(body):
		return body
	}
	return encode(string(body))
}

// exchangeView is a request with all that went over the wire.
type exchangeView struct {
	Request       requestView `json:"request"`
	Query         string      `json:"query"`
	Headers       http.Header `json:"headers"`
	Text          string      `json:"text"`
	AnswerHeaders http.Header `json:"answer_headers"`
	AnswerText    string      `json:"answer_text"`
}

func (in *inbox) exchangeOf(r whoptest.Request) exchangeView {
	return exchangeView{
		Request: viewOf(r), Query: r.Query, Headers: in.masked(r.Header), Text: string(r.Body),
		AnswerHeaders: in.masked(r.AnswerHeader), AnswerText: string(r.AnswerBody),
	}
}

const mask = "********"

// masked is a copy without credentials.
func (in *inbox) masked(header http.Header) http.Header {
	copied := http.Header{}
	for name, values := range header {
		copied[name] = slices.Clone(values)
		for i, value := range values {
			switch scheme, _, found := strings.Cut(value, " "); name {
			case "Authorization", "Proxy-Authorization":
				copied[name][i] = mask
				if found && (strings.EqualFold(scheme, "Bearer") || strings.EqualFold(scheme, "Basic")) {
					copied[name][i] = scheme + " " + mask
				}
			case "Cookie":
				copied[name][i] = mask
			default:
				if in.Secret != "" && value == in.Secret {
					copied[name][i] = mask
				}
			}
		}
	}
	return copied
}

func (in *inbox) requests(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	writeList(w, filter.of(in.Source.Requests()), viewOf)
}

func (in *inbox) request(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "The ID of a request is a number.")
		return
	}
	for _, request := range in.Source.Requests() {
		if request.ID == id {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(append(encode(in.exchangeOf(request)), '\n'))
			return
		}
	}
	refuse(w, http.StatusNotFound, "No request has this ID, or it is no longer kept.")
}
