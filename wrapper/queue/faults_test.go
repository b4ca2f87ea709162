package queue_test

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// unreliable returns a Whop that fails now and then, and always refuses some.
func unreliable(r whoptest.Request) whoptest.Reply {
	h := fnv.New32()
	_, _ = h.Write([]byte(r.IdempotencyKey))
	if h.Sum32()%20 == 0 {
		return whoptest.Error(422, "", "Not this one.")
	}
	switch rand.N(20) {
	case 0:
		return whoptest.Error(503, "", "Busy.").AfterQueueing()
	case 1:
		return whoptest.Reset().AfterQueueing()
	case 2:
		return whoptest.RateLimited(time.Second)
	case 3:
		return whoptest.Error(500, "", "Oops.")
	}
	return whoptest.Serve()
}

// Whatever happens to one server or worker, all workers send again soon, and every
// notification is sent once, or is a dead letter that tells the truth.
func TestFaultsOfServersAndWorkers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.whop.ScriptFunc(unreliable)
	stop := s.enqueueUntil()
	s.resumed(time.Now())
	type fault struct {
		name     string
		ofServer bool
		do       func() (mend func())
	}
	faults := []fault{
		{name: "the leader is killed", ofServer: true, do: func() func() { p := s.leader(); p.kill(); return p.start }},
		{name: "a worker is killed", do: func() func() { p := s.workers[0]; p.kill(); return p.start }},
		{name: "the leader is frozen", ofServer: true, do: func() func() { return s.leader().freeze() }},
	}
	long, err := time.ParseDuration(os.Getenv("WHOP_SOAK"))
	if err == nil {
		faults = append(faults, fault{name: "a worker is frozen", do: func() func() {
			thaw := s.workers[1].freeze()
			time.Sleep(redelivery) // another takes over what it held
			return thaw
		}}, fault{name: "a worker ends in order", do: func() func() {
			p := s.workers[2]
			p.signal(syscall.SIGTERM)
			_, _ = p.cmd.Process.Wait()
			p.kill()
			return p.start
		}}, fault{name: "any server is killed", ofServer: true, do: func() func() { p := s.servers[rand.N(3)]; p.kill(); return p.start }},
			fault{name: "all servers are killed", ofServer: true, do: func() func() {
				for _, p := range s.servers {
					p.kill()
				}
				for _, p := range s.servers {
					p.startOnly()
				}
				return func() {}
			}})
	}
	deadline := time.Now().Add(long)
	for {
		for _, f := range faults {
			at := time.Now()
			mend := f.do()
			var led time.Duration
			if f.ofServer {
				led = s.led(at)
				t.Logf("%s: all leaders are elected after %.1f s", f.name, led.Seconds())
			}
			took := s.resumed(at)
			t.Logf("%s: all workers that are left send again after %.1f s", f.name, took.Seconds())
			require.Less(t, took, led+30*time.Second, "a request that was lost costs up to 10 s, on a busy machine more than one is; the log has the time")
			mend()
			s.resumed(time.Now())
		}
		if time.Now().After(deadline) {
			break
		}
	}
	stop()
	s.judge()
}
