package main

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strconv"
	"sync"
	"time"
)

const (
	// repeatTime is how long a repeat of a request without a key is recognised.
	repeatTime = time.Minute
	maxUnheard = 10_000
)

// requestSum stands for a request without a key: its contract, query and body.
type requestSum [sha256.Size]byte

func sumOfRequest(c *relayContract, query string, body []byte) (sum requestSum) {
	h := sha256.New()
	h.Write([]byte(c.company + "\n" + strconv.Quote(query) + "\n"))
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// isRepeat reports whether the client says that it has sent the request before, as the SDKs
// that Stainless generates do.
func isRepeat(header http.Header) bool {
	n, err := strconv.Atoi(header.Get("X-Stainless-Retry-Count"))
	return err == nil && n > 0
}

// repeats recognises a repeated request that has no idempotency key: as one whose client
// never heard the answer.
type repeats struct {
	mu       sync.Mutex
	underWay map[requestSum][]*keyless
	unheard  []unheard // oldest first
}

// keyless is a request without a key that is being answered.
type keyless struct {
	sum  requestSum
	done chan struct{}
}

// unheard is one that was answered to nobody, or only with a doubt.
type unheard struct {
	sum requestSum
	key string // under which it was stored
	at  time.Time
}

// begin notes that a request is being answered.
func (r *repeats) begin(sum requestSum) *keyless {
	k := &keyless{sum: sum, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.underWay == nil {
		r.underWay = map[requestSum][]*keyless{}
	}
	r.underWay[sum] = append(r.underWay[sum], k)
	return k
}

// end notes that it was answered, and under which key a repeat of it is to go: "" if its
// client has heard the answer.
func (r *repeats) end(k *keyless, key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	others := r.underWay[k.sum][:0]
	for _, other := range r.underWay[k.sum] {
		if other != k {
			others = append(others, other)
		}
	}
	if r.underWay[k.sum] = others; len(others) == 0 {
		delete(r.underWay, k.sum)
	}
	r.forget()
	if key != "" {
		if len(r.unheard) == maxUnheard {
			r.unheard = r.unheard[1:]
		}
		r.unheard = append(r.unheard, unheard{k.sum, key, time.Now()})
	}
	close(k.done)
}

// take returns the key of an earlier request that this one repeats, for it alone; "" if there
// is none. It waits for those that are still being answered, until ctx ends.
func (r *repeats) take(ctx context.Context, sum requestSum) string {
	r.mu.Lock()
	earlier := append([]*keyless(nil), r.underWay[sum]...)
	r.mu.Unlock()
	for _, k := range earlier {
		select {
		case <-k.done:
		case <-ctx.Done():
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
	for i, u := range r.unheard {
		if u.sum == sum {
			r.unheard = append(r.unheard[:i], r.unheard[i+1:]...)
			return u.key
		}
	}
	return ""
}

// forget drops those that are too old.
func (r *repeats) forget() {
	for len(r.unheard) > 0 && time.Since(r.unheard[0].at) > repeatTime {
		r.unheard = r.unheard[1:]
	}
}
