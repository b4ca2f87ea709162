package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"strings"
	"time"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// dryRequest is the request that was not sent.
type dryRequest struct {
	Method string          `json:"method"`
	URL    string          `json:"url"`
	Header []headerLine    `json:"-"`
	Fields map[string]any  `json:"headers"`
	Body   json.RawMessage `json:"body"`
}

func (r *dryRequest) header(name string) string {
	value, _ := r.Fields[name].(string)
	return value
}

type headerLine struct{ name, value string }

const mask = "********"

// recorder is a transport that sends nothing. It records the request that the client built, so
// a dry run shows exactly what a real one sends.
type recorder struct{ seen *dryRequest }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	masked := req.Clone(req.Context())
	masked.Header["Authorization"] = []string{"Bearer " + mask}
	masked.Body = io.NopCloser(bytes.NewReader(body))
	dump, err := httputil.DumpRequestOut(masked, false) // with what net/http adds
	if err != nil {
		return nil, err
	}
	r.seen = &dryRequest{Method: req.Method, URL: req.URL.String(), Fields: map[string]any{}, Body: body}
	_, head, _ := strings.Cut(string(dump), "\r\n")
	for field := range strings.SplitSeq(strings.TrimSpace(head), "\r\n") {
		name, value, _ := strings.Cut(field, ": ")
		name = textproto.CanonicalMIMEHeaderKey(name)
		r.seen.Header = append(r.seen.Header, headerLine{name, value})
		r.seen.Fields[name] = value
	}
	return &http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader(`{"success":true}`)),
		Request:    req,
	}, nil
}

// options make a client use it. The time-out is not the user's, which may be short.
func (r *recorder) options() []whop.Option {
	return []whop.Option{whop.WithHTTPClient(&http.Client{Transport: r}), whop.WithAttemptTimeout(time.Minute)}
}

// showRequest prints what a send would put on the wire.
func (f *sendFlags) showRequest(cmd *cobra.Command, n whop.Notification, opts []whop.Option) error {
	keyless := !hasKey(cmd.Flags())
	if keyless {
		opts = append(opts, whop.WithAPIKey("none"))
	}
	var transport recorder
	client, err := whop.NewClient(append(opts, transport.options()...)...)
	if err != nil {
		return usageError(err, "")
	}
	if _, err := client.Send(cmd.Context(), n); err != nil {
		return &exitError{code: exitNot, err: err}
	}
	if transport.seen == nil {
		return &exitError{code: exitNot, err: errors.New("the request could not be built")}
	}

	if _, err := cmd.OutOrStdout().Write(transport.seen.in(f.output)); err != nil {
		return err
	}
	note := "dry run: nothing was sent"
	if f.key == "" {
		note += "; the idempotency key is random, and another one next time"
	}
	if keyless {
		note += "; there is no API key: set WHOP_API_KEY or give --api-key-file"
	}
	fmt.Fprintln(cmd.ErrOrStderr(), note)
	return nil
}

func (r *dryRequest) in(output format) []byte {
	if output == jsonFormat {
		return line(struct {
			DryRun  bool        `json:"dry_run"`
			Request *dryRequest `json:"request"`
		}{true, r})
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
	for _, h := range r.Header {
		fmt.Fprintf(&b, "%s: %s\n", h.name, h.value)
	}
	fmt.Fprintf(&b, "\n%s\n", r.Body)
	return b.Bytes()
}
