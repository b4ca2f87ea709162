package wrapper_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// truth is what the server did, by send.
type truth struct {
	apiKey string
	queued map[string][]whoptest.Request // by title
	keys   map[string]int                // how often something was queued under a key
	seen   map[string][]seenRequest      // by key
}

type seenRequest struct {
	whoptest.Request
	reply whoptest.Reply
}

func learnTruth(t testing.TB, server *whoptest.Server, draw *draw) *truth {
	truth := &truth{
		apiKey: server.APIKey(),
		queued: map[string][]whoptest.Request{},
		keys:   map[string]int{},
		seen:   map[string][]seenRequest{},
	}
	for _, r := range server.Queued() {
		var body struct{ Title string }
		require.NoError(t, json.Unmarshal(r.Body, &body))
		truth.queued[body.Title] = append(truth.queued[body.Title], r)
		truth.keys[r.IdempotencyKey]++
	}
	for i, r := range server.Requests() {
		if isSecondTime(r) {
			continue
		}
		reply := whoptest.Serve() // late ones, after ScriptFunc(nil)
		if i < len(draw.replies) {
			reply = draw.replies[i]
		}
		truth.seen[r.IdempotencyKey] = append(truth.seen[r.IdempotencyKey], seenRequest{r, reply})
	}
	return truth
}

// requests are those of a send that reached the server, in order.
func (truth *truth) requests(s *oneSend) []seenRequest {
	var keys []string
	for _, a := range s.observed {
		if !slices.Contains(keys, a.IdempotencyKey) {
			keys = append(keys, a.IdempotencyKey)
		}
	}
	var all []seenRequest
	for _, key := range keys {
		all = append(all, truth.seen[key]...)
	}
	return all
}

// check returns each promise of the client that a send broke.
func (truth *truth) check(s *oneSend) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	queued := truth.queued[s.title]
	if len(queued) > 1 {
		wrong("queued %d times", len(queued))
	}
	for _, r := range queued {
		if truth.keys[r.IdempotencyKey] > 1 {
			wrong("queued %d times under one key", truth.keys[r.IdempotencyKey])
		}
	}

	attempts := 0
	switch {
	case s.receipt != nil && s.failure != nil, s.receipt == nil && s.failure == nil:
		wrong("not either a receipt or a *SendError")
		return problems
	case s.receipt != nil:
		attempts = s.receipt.Attempts
		if len(queued) != 1 {
			wrong("returned nil but was queued %d times", len(queued))
		} else if queued[0].IdempotencyKey != s.receipt.IdempotencyKey {
			wrong("queued under the key %s", queued[0].IdempotencyKey)
		}
	default:
		attempts = s.failure.Attempts
		if s.failure.Outcome != whop.Unknown && len(queued) > 0 {
			wrong("%v but queued", s.failure.Outcome)
		}
		if strings.Contains(s.failure.Error(), truth.apiKey) {
			wrong("the error shows the key")
		}
		if s.failure.Outcome == whop.Unknown {
			truth.checkAgain(s, wrong)
		}
	}
	truth.checkAttempts(s, attempts, wrong)
	return problems
}

// checkAgain: sending again under the key of the error settles what was in doubt.
func (truth *truth) checkAgain(s *oneSend, wrong func(string, ...any)) {
	queued := truth.queued[s.title]
	again, failed := errors.AsType[*whop.SendError](s.again)
	switch {
	case !failed && len(queued) != 1:
		wrong("queued %d times after a second send that returned nil", len(queued))
	case failed && again.Outcome == whop.Rejected && len(queued) > 0:
		wrong("the second send was rejected: %v", again)
	case failed && again.Outcome == whop.NotSent:
		wrong("the second send was not sent: %v", again)
	}
}

// checkAttempts: the attempts are those that the server saw, and with AtMostOnce only
// the last one can have left a doubt.
func (truth *truth) checkAttempts(s *oneSend, attempts int, wrong func(string, ...any)) {
	if attempts != len(s.observed) {
		wrong("says %d attempts, the observer saw %d", attempts, len(s.observed))
	}
	seen := truth.requests(s)
	answered, cutShort := 0, 0
	for _, a := range s.observed {
		if a.StatusCode != 0 {
			answered++
		}
		// It may have ended before the server took notice of it.
		if a.StatusCode == 0 && neverArrived(a.Err) {
			cutShort++
		}
	}
	brokeOff := func(r seenRequest) bool {
		// It had not arrived whole: not in one write, or, over HTTP/2, not after the headers.
		return r.Body == nil && s.large || r.Body != nil && !json.Valid(r.Body)
	}
	whole := 0
	for _, r := range seen {
		if !brokeOff(r) { // an attempt may send that again
			whole++
		}
	}
	if len(seen) < max(answered, attempts-cutShort) || whole > attempts {
		wrong("%d attempts, of which %d answered, but the server saw %d, %d of them whole", attempts, answered, len(seen), whole)
	}
	for i, a := range s.observed {
		if a.StatusCode != 0 && !slices.ContainsFunc(seen, func(r seenRequest) bool {
			return r.Status == a.StatusCode || r.Status == 0 // 0: garbage, which may look like an answer
		}) {
			wrong("attempt %d got %d, which the server never gave", i+1, a.StatusCode)
		}
		// The server may take notice of an attempt that was cut short after the next one.
		if len(seen) == attempts && cutShort == 0 && a.StatusCode != 0 && seen[i].Status != 0 && a.StatusCode != seen[i].Status {
			wrong("attempt %d got %d, the server gave %d", i+1, a.StatusCode, seen[i].Status)
		}
	}
	if !s.atMostOnce {
		return
	}
	for i := range len(seen) - 1 {
		if !clear(seen[i].Request) && !brokeOff(seen[i]) {
			wrong("sent again after the ambiguous request %d", i+1)
		}
	}
}

// neverArrived reports whether an attempt can have failed without a trace at the server.
func neverArrived(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout() || err != nil && strings.Contains(err.Error(), "token service")
}

func (truth *truth) describe(s *oneSend, problems []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (key %q, AtMostOnce %v, large %v, patience %v):\n\t%s\n", s.title, s.key, s.atMostOnce, s.large, s.patience, strings.Join(problems, "\n\t"))
	fmt.Fprintf(&b, "receipt %+v, error %v\nsent again: %v\nthe client:\n", s.receipt, s.failure, s.again)
	for _, a := range s.observed {
		fmt.Fprintf(&b, "\t%d %s: status %d, %v, took %v\n", a.Number, a.IdempotencyKey, a.StatusCode, a.Err, a.Duration)
	}
	b.WriteString("the server:\n")
	for _, r := range truth.requests(s) {
		fmt.Fprintf(&b, "\t%s: %v, status %d\n", r.IdempotencyKey, r.reply, r.Status)
	}
	return b.String()
}

// tally counts what a run consisted of.
type tally struct {
	sends, freshKeys int
	outcomes         map[string]int
	attempts         map[int]int
	replies          map[string]int
}

func newTally() *tally {
	return &tally{outcomes: map[string]int{}, attempts: map[int]int{}, replies: map[string]int{}}
}

func (c *tally) add(s *oneSend) {
	c.sends++
	outcome := "queued"
	if s.failure != nil {
		outcome = s.failure.Outcome.String()
	}
	c.outcomes[outcome]++
	c.attempts[len(s.observed)]++
	if len(s.observed) > 1 && s.observed[0].IdempotencyKey != s.observed[len(s.observed)-1].IdempotencyKey {
		c.freshKeys++
	}
}

func (c *tally) addReplies(d *draw) {
	for _, r := range d.replies {
		c.replies[r.String()]++
	}
}

func (c *tally) String() string {
	return fmt.Sprintf("%d sends: outcomes %v, by attempts %v, %d took a fresh key\nreplies %v", c.sends, c.outcomes, c.attempts, c.freshKeys, c.replies)
}

// requireEverything fails a run too tame to prove anything.
func (c *tally) requireEverything(t testing.TB) {
	for _, outcome := range []string{"queued", "unknown", "not sent", "rejected"} {
		assert.NotZero(t, c.outcomes[outcome], outcome)
	}
	assert.NotZero(t, c.freshKeys, "fresh keys")
	for n := range 7 {
		assert.NotZero(t, c.attempts[n], "sends of %d attempts", n)
	}
	for _, p := range possibleReplies {
		if name := p.draw(rand.New(rand.NewPCG(0, 0))).String(); c.replies[name] == 0 {
			assert.Fail(t, "never drawn", name)
		}
	}
	assert.Greater(t, c.outcomes["queued"]*2, c.sends, "more than half succeed")
}
