package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// setting is one of those in which the clients are compared.
type setting struct {
	protocol string
	workers  int
}

// comparison is what each client cost in a setting, round by round.
type comparison struct {
	setting
	clients []string
	n       int      // notifications in a turn
	costs   [][]cost // by client and round
}

// compare lets the clients take turns of about that long, for about so long in all. Short
// turns matter more than many: what disturbs one then disturbs its neighbours alike.
func compare(ctx context.Context, at endpoints, s setting, turn, total time.Duration) (*comparison, error) {
	transport, err := newTransport(at)
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	all, err := clients(at.url(s.protocol), transport)
	if err != nil {
		return nil, err
	}
	result := &comparison{setting: s, n: 100 + 2*s.workers, costs: make([][]cost, len(all))}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := newCrew(s.workers)
	defer close(workers.turns)
	var senders []sender
	for _, c := range all {
		result.clients = append(result.clients, c.name)
		senders = append(senders, c.sender(ctx, workers))
	}
	for range 2 { // opens connections, and finds how many fill a turn
		warm, err := result.round(senders)
		if err != nil {
			return nil, err
		}
		result.n = max(int(float64(turn)/warm[0].wall), 4*s.workers)
	}
	for start := time.Now(); len(result.costs[0]) == 0 || time.Since(start) < total; {
		costs, err := result.round(senders)
		if err != nil {
			return nil, err
		}
		for i, each := range costs {
			result.costs[i] = append(result.costs[i], each)
		}
	}
	return result, nil
}

// round runs each client once, in random order.
func (c *comparison) round(senders []sender) ([]cost, error) {
	costs := make([]cost, len(senders))
	for _, i := range rand.Perm(len(senders)) {
		var err error
		if costs[i], err = measure(c.n, senders[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", c.clients[i], err)
		}
	}
	return costs, nil
}

// values returns one figure of a client, by round.
func (c *comparison) values(client int, of func(cost) float64) []float64 {
	var values []float64
	for _, each := range c.costs[client] {
		values = append(values, of(each))
	}
	return values
}

// ratios returns what by hand cost in each round, over what the client did in the same.
func (c *comparison) ratios(client int, of func(cost) float64) []float64 {
	ratios := c.values(client, of)
	for round := range ratios {
		ratios[round] = of(c.costs[0][round]) / ratios[round]
	}
	return ratios
}
