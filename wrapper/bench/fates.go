package main

import (
	"math/rand/v2"
	"time"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// fates are the faults of the drill: of 10,000 requests, how many meet each. In sum they
// are 7.5 %. About half leave the notification queued.
var fates = []struct {
	of10000 int
	reply   whoptest.Reply
}{
	{75, whoptest.Reset()},
	{75, whoptest.Reset().AfterQueueing()},
	{50, whoptest.Stall()},
	{50, whoptest.Stall().AfterQueueing()},
	{50, whoptest.Error(500, "", "Boom")},
	{50, whoptest.Error(500, "", "Boom").AfterQueueing()},
	{50, whoptest.Raw(502, "text/html", "<h1>Bad gateway</h1>")},
	{50, whoptest.Raw(502, "text/html", "<h1>Bad gateway</h1>").AfterQueueing()},
	{50, whoptest.Error(503, "", "Busy")},
	{50, whoptest.Error(503, "", "Busy").AfterQueueing()},
	{50, whoptest.Truncate()},
	{50, whoptest.Garbage([]byte("ICY 200 OK\r\n\r\n")).AfterQueueing()},
	{50, whoptest.RateLimitedAfter(50 * time.Millisecond)},
	{50, whoptest.NotQueued()},
}

// fate is what attempt, from 1, at sending an invoice meets: it depends on nothing else
// than these and the seed.
func fate(seed uint64, invoice, attempt int) whoptest.Reply {
	rng := rand.New(rand.NewPCG(seed, uint64(invoice)<<16|uint64(attempt)))
	drawn := rng.IntN(10_000)
	for _, f := range fates {
		if drawn -= f.of10000; drawn < 0 {
			return f.reply
		}
	}
	return whoptest.Serve()
}
