package main

import (
	"github.com/whopnotify/whopnotify/wrapper/queue"
)

// queueStatus is a queue at a glance, as --output json shows it.
type queueStatus struct {
	Waiting  int `json:"waiting"`
	InFlight int `json:"in_flight"`
	Sent     int `json:"sent"`
	Dead     int `json:"dead"`
}

func statusOf(s queue.Stats) queueStatus {
	return queueStatus{Waiting: s.Waiting, InFlight: s.InFlight, Sent: s.Sent, Dead: s.Dead}
}

// left is how many are not settled.
func (s queueStatus) left() int { return s.Waiting + s.InFlight }

// attrs are its fields for a log.
func (s queueStatus) attrs() []any {
	return []any{"waiting", s.Waiting, "in_flight", s.InFlight, "sent", s.Sent, "dead", s.Dead}
}
