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

// warmUps are the rounds that do not count: they open connections, and show how many
// notifications fill a turn.
const warmUps = 2

// compare lets the clients take turns of about that long.
func compare(ctx context.Context, at endpoints, s setting, rounds int, turn time.Duration) (*comparison, error) {
	transport, err := newTransport(at)
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	url := at.HTTP1
	if s.protocol == "h2" {
		url = at.HTTP2
	}
	all, err := clients(url, transport)
	if err != nil {
		return nil, err
	}
	result := &comparison{setting: s, n: 100 + 2*s.workers, costs: make([][]cost, len(all))}
	for _, c := range all {
		result.clients = append(result.clients, c.name)
	}
	filling := result.n
	for round := range rounds + warmUps {
		if round == warmUps {
			result.n = filling
		}
		for _, who := range rand.Perm(len(all)) {
			each, err := all[who].measure(ctx, result.n, s.workers)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[who].name, err)
			}
			if round >= warmUps {
				result.costs[who] = append(result.costs[who], each)
			} else if who == 0 {
				filling = max(int(float64(turn)/each.wall), 2*s.workers)
			}
		}
	}
	return result, nil
}

// values gives one figure of a client, by round.
func (c *comparison) values(client int, of func(cost) float64) []float64 {
	var values []float64
	for _, each := range c.costs[client] {
		values = append(values, of(each))
	}
	return values
}

// ratios gives what by hand cost in each round, over what the client did in the same.
func (c *comparison) ratios(client int, of func(cost) float64) []float64 {
	ratios := c.values(client, of)
	for round := range ratios {
		ratios[round] = of(c.costs[0][round]) / ratios[round]
	}
	return ratios
}
