package wrapper_test

import (
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// possibleReply is one of all the things a server can do to a request.
type possibleReply struct {
	weight int
	draw   func(*rand.Rand) whoptest.Reply
}

func always(r whoptest.Reply) func(*rand.Rand) whoptest.Reply {
	return func(*rand.Rand) whoptest.Reply { return r }
}

const inProgress = "idempotency_request_in_progress"

// possibleReplies tell the truth: none says that a notification is queued which is not,
// nor refuses one that is.
var possibleReplies = []possibleReply{
	{6, func(rng *rand.Rand) whoptest.Reply {
		return whoptest.RateLimitedAfter(time.Duration(rng.IntN(2000)) * time.Microsecond)
	}},
	{3, always(whoptest.Error(429, "", "Slow down"))},
	{3, always(whoptest.Error(429, "", "Slow down").Remembered())},
	{3, always(whoptest.RateLimitedAfter(time.Millisecond).Remembered())},
	{3, always(whoptest.Error(408, "", "Too slow"))},
	{3, always(whoptest.Error(408, "", "Too slow").Remembered())},
	{2, always(whoptest.Error(408, "", "Too slow, if passed on").AfterQueueing())},
	{1, always(whoptest.Raw(303, "text/plain", "").WithHeader("Location", "/done").AfterQueueing())},
	{2, always(whoptest.Garbage([]byte("HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n")).AfterQueueing())},
	{2, always(whoptest.Error(429, "", "Slow down").WithHeader("X-Should-Retry", "false"))},
	{3, always(whoptest.Error(409, inProgress, "Wait"))},
	{1, always(whoptest.Error(409, "", "Conflict"))},
	{1, always(whoptest.Error(400, "parameter_invalid", "No"))},
	{1, always(whoptest.Error(400, "parameter_invalid", "No").Remembered())},
	{2, always(whoptest.Error(400, "", "No").WithHeader("X-Should-Retry", "true"))},
	{1, always(whoptest.Error(401, "", "Who are you?"))},
	{1, always(whoptest.Error(403, "", "Not you"))},
	{1, always(whoptest.Raw(422, "application/json", `{"error":null}`))},
	{1, always(whoptest.Raw(307, "text/plain", "").WithHeader("Location", "https://elsewhere.test/"))},
	{1, always(whoptest.NotQueued())},

	{4, always(whoptest.Error(500, "", "Boom"))},
	{4, always(whoptest.Error(500, "", "Boom").AfterQueueing())},
	{1, always(whoptest.Error(500, "", "Boom").AfterQueueing().Remembered())},
	{3, always(whoptest.Error(503, "", "Busy").WithHeader("Retry-After", "soon"))},
	{3, always(whoptest.Error(503, "", "Busy").WithHeader("Retry-After-Ms", "2").AfterQueueing())},
	{2, always(whoptest.Error(502, "", "Bad").WithHeader("X-Should-Retry", "false").AfterQueueing())},
	{2, always(whoptest.Raw(504, "text/html", "<h1>Gateway time-out</h1>"))},
	{2, always(whoptest.Raw(504, "text/html", "<h1>Gateway time-out</h1>").AfterQueueing())},
	{1, always(whoptest.Raw(200, "text/html", "<h1>Welcome</h1>"))},
	{1, always(whoptest.Raw(200, "application/json", "{}").AfterQueueing())},
	{2, always(whoptest.Raw(202, "application/json", `{"success":true}`).AfterQueueing())},
	{1, always(whoptest.Raw(200, "application/json", queuedBody+strings.Repeat(" ", 1<<20)).AfterQueueing())},
	{2, always(whoptest.Raw(500, "text/plain", strings.Repeat("Boom. ", 2000)))},

	{4, always(whoptest.Reset())},
	{4, always(whoptest.Reset().AfterQueueing())},
	{3, always(whoptest.Garbage([]byte("ICY 200 OK\r\n\r\n")))},
	{3, always(whoptest.Garbage([]byte("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")).AfterQueueing())},
	{5, always(whoptest.Truncate())},
	{1, always(whoptest.Stall())},
	{1, always(whoptest.Stall().AfterQueueing())},
}

// longWait makes a client refuse everything for a second, so it is rare.
var longWait = whoptest.RateLimited(time.Second)

// draw chooses the replies of a round. What a request gets follows from the seed, its
// key and how often the key came before, so it does not hang on who comes first; only
// requests under random keys share a sequence.
type draw struct {
	seed    uint64
	share   int // of requests with a fault, in percent
	came    map[string]uint64
	replies []whoptest.Reply // in order of arrival
}

func newDraw(seed uint64) *draw {
	shares := []int{40, 10, 30, 70}
	return &draw{seed: seed, share: shares[seed%uint64(len(shares))], came: map[string]uint64{}}
}

func (d *draw) reply(r whoptest.Request) whoptest.Reply {
	reply := d.choose(r)
	d.replies = append(d.replies, reply)
	return reply
}

func (d *draw) choose(r whoptest.Request) whoptest.Reply {
	name := ""
	if strings.HasPrefix(r.IdempotencyKey, "send-") {
		name = r.IdempotencyKey
	}
	d.came[name]++
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(d.seed, h.Sum64()+d.came[name]))
	if len(d.replies) != 500 && rng.IntN(100) >= d.share {
		return whoptest.Serve()
	}
	if len(d.replies) == 500 || rng.IntN(2000) == 0 { // at least once in a round
		return longWait
	}
	sum := 0
	for _, p := range possibleReplies {
		sum += p.weight
	}
	at := rng.IntN(sum)
	for _, p := range possibleReplies {
		if at -= p.weight; at < 0 {
			return p.draw(rng)
		}
	}
	panic("unreachable")
}

// isSecondTime tells the requests of resend from those before.
func isSecondTime(r whoptest.Request) bool {
	return strings.HasPrefix(r.Header.Get("User-Agent"), secondTime)
}

// clear reports whether an answer leaves no doubt that nothing was queued, or was by
// another request under the same key: AtMostOnce may send again after it.
func clear(r whoptest.Request) bool {
	return r.Status >= http.StatusBadRequest && r.Status < http.StatusInternalServerError && r.Status != http.StatusRequestTimeout
}
