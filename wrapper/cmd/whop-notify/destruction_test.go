package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/queue"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// faults makes a server answer as on a very bad day. What it may have queued under a key it
// does not refuse later, as Whop would not.
func faults(server *whoptest.Server, random *rand.Rand) {
	perhapsQueued := map[string]bool{}
	server.ScriptFunc(func(r whoptest.Request) (reply whoptest.Reply) { // one at a time
		defer func() {
			refusal := whoptest.Error(422, "", "").String()
			if reply.String() == refusal && perhapsQueued[r.IdempotencyKey] {
				reply = whoptest.Serve()
			}
			perhapsQueued[r.IdempotencyKey] = reply.String() != refusal
		}()
		switch random.IntN(25) {
		case 0:
			return whoptest.Error(503, "", "Down.")
		case 1:
			return whoptest.Error(500, "", "Down.").AfterQueueing()
		case 2:
			return whoptest.Reset()
		case 3:
			return whoptest.Reset().AfterQueueing()
		case 4:
			return whoptest.Truncate()
		case 5:
			return whoptest.RateLimitedAfter(50 * time.Millisecond)
		case 6:
			return whoptest.Garbage([]byte("not HTTP")).AfterQueueing()
		case 7:
			return whoptest.Error(422, "", "Verify first.").Remembered()
		case 8:
			if random.IntN(5) == 0 {
				return whoptest.Stall().AfterQueueing()
			}
		}
		return whoptest.Serve()
	})
}

// soaking is for the long form of a test, by make soak.
func soaking() bool { return os.Getenv("WHOP_SOAK") != "" }

// chance is random, and can be repeated.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// fate is what the dead letters say of a notification.
type fate struct{ outcome, reason string }

// nothingLostNothingTwice holds each notification against Whop's record: it went out once,
// or it is a dead letter with its reason; one that certainly did not go out, did not.
func nothingLostNothingTwice(t *testing.T, server *whoptest.Server, n int, dead map[string]fate) {
	t.Helper()
	counts := delivered(t, server)
	sent, doubtful := 0, 0
	for i := range n {
		times, letter := counts[content(i)], dead[content(i)]
		require.LessOrEqual(t, times, 1, "%s: sent twice", content(i))
		sent += times
		switch {
		case letter.outcome == "" && times == 0:
			require.Fail(t, "lost", content(i))
		case letter.outcome == "":
		case letter.outcome == "unknown":
			doubtful++
			require.NotEmpty(t, letter.reason)
		default:
			require.Zero(t, times, "%s: sent, and a dead letter that says %s", content(i), letter.outcome)
			require.NotEmpty(t, letter.reason)
		}
	}
	require.Len(t, counts, sent, "nothing else was sent")
	t.Logf("%d notifications: %d sent with %d requests, %d dead letters, %d of these in doubt", n, sent, len(server.Requests()), len(dead), doubtful)
}

// Workers are killed every second or so, and the NATS server too, while Whop fails.
func TestNothingIsLostAndNothingSentTwiceWhateverIsKilled(t *testing.T) {
	t.Parallel()
	n, workers, chaos := 300, 3, 6*time.Second
	if soaking() {
		n, chaos = 3000, 25*time.Second
	}
	random := chance(t)
	_, err := raced() // before the time runs
	require.NoError(t, err)
	server := whoptest.NewServer(t)
	faults(server, rand.New(rand.NewPCG(random.Uint64(), 0)))
	hub := startNATS(t)
	q := hub.open()
	file := fileOf(t, n)
	args := []string{"work", "--nats", hub.url(), "--rate-limit", "9000", "--concurrency", "8", "--attempt-timeout", "1s", "--max-attempts", "2"}

	// Workers come back as under a supervisor, some time after they were killed.
	ended := make(chan struct{})
	var supervised sync.WaitGroup
	kills := make([]int, workers)
	for i := range workers {
		pause := rand.New(rand.NewPCG(random.Uint64(), 0))
		supervised.Go(func() {
			for {
				p := startRaced(t, environment(server), args...)
				select {
				case <-time.After(time.Duration(500+pause.IntN(1500)) * time.Millisecond):
					p.kill()
					kills[i]++
				case <-ended:
					p.kill()
					return
				}
			}
		})
	}

	// What is put in is safe whenever the command says so, and safe to put in again.
	supervised.Go(func() {
		for {
			f := execute(t, nil, "enqueue", file, "--nats", hub.url())
			if f.code == 0 {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	restarts := 0
	for begin := time.Now(); time.Since(begin) < chaos; restarts++ {
		time.Sleep(time.Duration(2000+random.IntN(2000)) * time.Millisecond)
		hub.kill()
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		hub.start()
	}
	close(ended)
	supervised.Wait()
	for range workers { // and the last ones work in peace
		t.Cleanup(startRaced(t, environment(server), args...).kill)
	}
	settled(t, q, 2*time.Minute)
	t.Logf("workers killed %v times, the NATS server %d times", kills, restarts)
	require.Greater(t, kills[0]+kills[1]+kills[2], workers)
	nothingLostNothingTwice(t, server, n, deadOf(t, q))
}

func deadOf(t *testing.T, q *queue.Queue) map[string]fate {
	t.Helper()
	dead := map[string]fate{}
	for letter, err := range q.Dead(t.Context()) {
		require.NoError(t, err)
		var body struct{ Content string }
		require.NoError(t, json.Unmarshal(letter.Body, &body))
		require.NotContains(t, dead, body.Content, "one dead letter each")
		dead[body.Content] = fate{letter.Outcome.String(), letter.Reason}
	}
	return dead
}

// A batch is killed again and again, and its file taken away.
func TestABatchIsSentOnceHoweverOftenItIsKilled(t *testing.T) {
	t.Parallel()
	n, kills := 250, 3
	if soaking() {
		n, kills = 2000, 10
	}
	random := chance(t)
	_, err := raced() // before the time runs
	require.NoError(t, err)
	server := whoptest.NewServer(t)
	faults(server, rand.New(rand.NewPCG(random.Uint64(), 0)))
	file := fileOf(t, n)
	state := file + ".state"
	args := []string{"batch", file, "--rate-limit", "6000", "--attempt-timeout", "1s", "--max-attempts", "2", "--output", "json"}
	killed, sent := 0, []int{}
	for range kills {
		p := startRaced(t, environment(server), args...)
		time.Sleep(time.Duration(20+random.IntN(1400)) * time.Millisecond)
		if p.kill(); !p.ProcessState.Exited() {
			killed++
		}
		sent = append(sent, len(server.Queued()))
		if _, err := os.Stat(filepath.Join(state, "batch.json")); err == nil {
			_ = os.Remove(file)
		}
	}
	require.Equal(t, kills, killed, "killed before it was done")
	t.Logf("sent by the time of each kill: %v", sent)
	p := startRaced(t, environment(server), args...)
	p.reader.Wait()
	_ = p.Wait()
	letters, s := parseBatch(t, p.stdout.String())
	require.True(t, s.Done)
	require.Equal(t, n, s.Queued+s.Rejected+s.NotSent+s.Unknown, fmt.Sprintf("%+v", s))
	require.Len(t, letters, s.Rejected+s.NotSent+s.Unknown)
	dead := map[string]fate{}
	for _, letter := range letters {
		dead[letter.Notification.Content] = fate{letter.Outcome, letter.Reason}
	}
	nothingLostNothingTwice(t, server, n, dead)
}
