package main

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// result is the result of one notification, as --output json shows it.
type result struct {
	Outcome        string       `json:"outcome"` // queued, rejected, not sent or unknown
	IdempotencyKey string       `json:"idempotency_key,omitempty"`
	Attempts       int          `json:"attempts"`
	Status         int          `json:"status,omitempty"` // of the last answer
	RequestID      string       `json:"request_id,omitempty"`
	Replayed       bool         `json:"replayed"`
	RetryAfter     float64      `json:"retry_after,omitempty"` // seconds
	Error          *resultError `json:"error,omitempty"`
}

type resultError struct {
	Message   string `json:"message"`
	Type      string `json:"type,omitempty"`
	Code      string `json:"code,omitempty"`
	Param     string `json:"param,omitempty"`
	Retryable bool   `json:"retryable"`
}

const queued = "queued"

// resultOf makes a result of what a send returned.
func resultOf(receipt *whop.Receipt, err error) result {
	failure, failed := errors.AsType[*whop.SendError](err)
	if !failed {
		return result{
			Outcome:        queued,
			IdempotencyKey: receipt.IdempotencyKey,
			Attempts:       receipt.Attempts,
			Status:         receipt.StatusCode,
			RequestID:      receipt.RequestID,
			Replayed:       receipt.Replayed,
		}
	}
	r := result{
		Outcome:        failure.Outcome.String(),
		IdempotencyKey: failure.IdempotencyKey,
		Attempts:       failure.Attempts,
		RetryAfter:     failure.RetryAfter.Seconds(),
		Error:          &resultError{Message: inTermsOfFlags(causeOf(failure)), Retryable: failure.Retryable()},
	}
	if api, ok := errors.AsType[*whop.APIError](failure.Err); ok {
		r.Status, r.RequestID = api.StatusCode, api.RequestID
		r.Error.Type, r.Error.Code, r.Error.Param = api.Type, api.Code, api.Param
	}
	return r
}

// print writes a result to standard output. A failure to write changes neither the result nor
// the exit code.
func (f *format) print(cmd *cobra.Command, r result) {
	text := r.text(styleOf(cmd.OutOrStdout()))
	if *f == jsonFormat {
		text = line(r)
	}
	writeResult(cmd, text)
}

func (r result) text(s style) []byte {
	var b bytes.Buffer
	b.WriteString(r.headline(s) + "\n")
	b.Write(table("  ", []row{
		{"idempotency key", r.IdempotencyKey},
		{"attempts", strconv.Itoa(r.Attempts)},
		{"last status", statusLine(r.Status)},
		{"request id", r.RequestID},
	}))
	return b.Bytes()
}

func (r result) headline(s style) string {
	switch r.Outcome {
	case queued:
		if r.Replayed {
			return s.good("queued") + ": Whop had it already under this key; nobody is notified twice"
		}
		return s.good("queued") + ": Whop has taken the notification for delivery"
	case whop.Unknown.String():
		return s.odd("unknown") + ": Whop may have queued the notification, or not"
	case whop.Rejected.String():
		return s.bad("rejected") + ": Whop did not queue the notification"
	}
	return s.bad(r.Outcome) + ": the notification did not reach Whop"
}

// attemptStatus says how an attempt ended.
func attemptStatus(a whop.Attempt) string {
	switch {
	case a.StatusCode != 0:
		return statusLine(a.StatusCode)
	case a.Err != nil:
		return oneLine(a.Err.Error())
	}
	return "no answer"
}

func statusLine(status int) string {
	if status == 0 {
		return ""
	}
	return strings.TrimSpace(strconv.Itoa(status) + " " + http.StatusText(status))
}

// seconds formats a wait for a reader.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
}
