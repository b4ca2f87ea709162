package queue

import (
	"cmp"
	"encoding/json"
	"errors"
	"sync"
	"time"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	// A worker stops after this time, if Whop has accepted nothing since, and refused this
	// many notifications to this many targets, or all that there are;
	refusedLong, refusedMany, refusedTargets = 5 * time.Second, 20, 5
	// or after this time, if it refused this many to any number of targets, or all that do not wait
	// for a time.
	refusedLonger = 30 * time.Second
	// If Whop has accepted something within this time, and now refuses all that there are with
	// 403 or 404, that is about their targets, if they are fewer than refusedTargets.
	trustTime = time.Hour
)

// refusals counts the answers in a row that may be about the API key, its permissions or
// the base URL.
type refusals struct {
	mu      sync.Mutex
	proven  time.Time // since when a refusal is about the notification
	worked  time.Time // when an answer last showed that all three work
	since   time.Time
	ids     map[uint64]struct{}
	targets map[string]struct{}
	last    *whop.SendError
}

func (r *refusals) add(id uint64, target string, failure *whop.SendError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids == nil {
		r.ids, r.targets, r.since = map[uint64]struct{}{}, map[string]struct{}{}, time.Now()
	}
	r.ids[id] = struct{}{}
	r.targets[target] = struct{}{}
	r.last = failure
}

// prove is called when Whop gave any other answer.
func (r *refusals) prove() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.worked = time.Now()
	r.blame()
}

// blame is called when the refusals until now are about the notifications.
func (r *refusals) blame() {
	r.proven = time.Now()
	r.ids, r.targets = nil, nil
}

// provenSince reports whether the credential has worked since then, so that the refusal must be
// about the notification.
func (r *refusals) provenSince(refused time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proven.After(refused)
}

// conclusive returns the last refusal if there were so many that they cannot be about the
// notifications. unsettled returns how many notifications there are, and how many of them do not
// wait for a time.
func (r *refusals) conclusive(unsettled func() (all, now int, err error)) (last *whop.SendError, n, targets int) {
	r.mu.Lock()
	n, targets, last = len(r.ids), len(r.targets), r.last
	long, trusted := time.Since(r.since), time.Since(r.worked) < trustTime
	r.mu.Unlock()
	switch {
	case n == 0 || long < refusedLong:
		return nil, 0, 0
	case n >= refusedMany && (targets >= refusedTargets || long >= refusedLonger):
		return last, n, targets
	}
	if all, now, err := unsettled(); err != nil || n < all && (n < now || long < refusedLonger) {
		return nil, 0, 0
	}
	if trusted && targets < refusedTargets && (errors.Is(last, whop.ErrForbidden) || errors.Is(last, whop.ErrNotFound)) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.blame()
		return nil, 0, 0
	}
	return last, n, targets
}

// targetOf returns the target of a notification, whether it goes to all or some of its users.
func targetOf(body []byte) string {
	var target struct {
		CompanyID    string `json:"company_id"`
		AccountID    string `json:"account_id"`
		ExperienceID string `json:"experience_id"`
	}
	_ = json.Unmarshal(body, &target)
	return cmp.Or(target.CompanyID, target.AccountID, target.ExperienceID)
}
