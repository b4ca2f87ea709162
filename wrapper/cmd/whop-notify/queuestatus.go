package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// queueStatus is a queue at a glance, as --output json shows it.
type queueStatus struct {
	Waiting     int       `json:"waiting"`
	Retrying    int       `json:"retrying"`
	InFlight    int       `json:"in_flight"`
	Sent        int       `json:"sent"`
	Dead        int       `json:"dead"`
	Oldest      float64   `json:"oldest"`                // seconds that the oldest one has waited; 0: none waits
	LastSuccess time.Time `json:"last_success,omitzero"` // when Whop took one last
}

func statusOf(s queue.Stats) queueStatus {
	return queueStatus{s.Waiting, s.Retrying, s.InFlight, s.Sent, s.Dead, s.Oldest.Seconds(), s.LastSuccess}
}

// countQueue counts the queue. It does not wait for long if the server does not answer.
func countQueue(ctx context.Context, q *queue.Queue) (queueStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	s, err := q.Stats(ctx)
	return statusOf(s), err
}

// left returns how many are unsettled.
func (s queueStatus) left() int { return s.Waiting + s.Retrying + s.InFlight }

// oldest says how long the oldest one has waited, for a person.
func (s queueStatus) oldest() string {
	if s.left() == 0 {
		return ""
	}
	return time.Duration(s.Oldest * float64(time.Second)).Round(time.Second).String()
}

// attrs returns its fields for a log.
func (s queueStatus) attrs() []any {
	attrs := []any{"waiting", s.Waiting, "retrying", s.Retrying, "in_flight", s.InFlight, "sent", s.Sent, "dead", s.Dead}
	if s.left() > 0 {
		attrs = append(attrs, "oldest", s.oldest())
	}
	if !s.LastSuccess.IsZero() {
		attrs = append(attrs, "last_success", s.LastSuccess.Format(time.RFC3339))
	}
	return attrs
}

// rows returns its fields for a person, as of a time.
func (s queueStatus) rows(now time.Time) []row {
	last := ""
	switch {
	case s.LastSuccess.IsZero() && s.Sent == 0:
		last = "none yet"
	case !s.LastSuccess.IsZero():
		last = fmt.Sprintf("%s (%v ago)", s.LastSuccess.Local().Format(shownTime), max(now.Sub(s.LastSuccess), 0).Round(time.Second))
	}
	return []row{
		{"waiting", strconv.Itoa(s.Waiting)},
		{"retrying", strconv.Itoa(s.Retrying)},
		{"in flight", strconv.Itoa(s.InFlight)},
		{"sent", strconv.Itoa(s.Sent)},
		{"dead", strconv.Itoa(s.Dead)},
		{"oldest", s.oldest()},
		{"last success", last},
	}
}

// row is a name and its value.
type row struct{ name, value string }

// table aligns rows; those without a value are left out.
func table(indent string, rows []row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		if r.value != "" {
			fmt.Fprintf(&b, "%s%-16s %s\n", indent, r.name, oneLine(r.value))
		}
	}
	return b.Bytes()
}

// heldStatus is the status that a process with an open state directory writes each second, since
// no other process can open the store.
type heldStatus struct {
	At    time.Time   `json:"at"`
	Queue queueStatus `json:"queue"`
}

const statusFile = "status.json"

func writeStatus(d *stateDir, status queueStatus) error {
	return d.replace(statusFile, line(heldStatus{time.Now(), status}))
}

func readStatus(dir string) (held heldStatus, err error) {
	content, err := os.ReadFile(filepath.Join(dir, statusFile))
	if err == nil {
		err = json.Unmarshal(content, &held)
	}
	return held, err
}
