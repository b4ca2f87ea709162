package wrapper

import (
	"errors"
	"sync"
)

// budget bounds the retries of a client; see RetryPolicy.
type budget struct {
	mu    sync.Mutex
	spent int
}

const (
	budgetTokens     = 500
	retryCost        = 5
	timeoutRetryCost = 10
)

// take returns the cost of a retry, or false if too little is left.
func (b *budget) take(afterTimeout bool) (cost int, ok bool) {
	cost = retryCost
	if afterTimeout {
		cost = timeoutRetryCost
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+cost > budgetTokens {
		return 0, false
	}
	b.spent += cost
	return cost, true
}

// succeed gives back what the retries of a success took, or 1.
func (b *budget) succeed(took int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-max(took, 1))
}

var errBudget = errors.New("no retry: too many attempts of this client have failed lately")
