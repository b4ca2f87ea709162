package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const (
	tailRuns  = 5
	tailPairs = 16                     // for each protocol
	tailBeat  = 125 * time.Millisecond // 8 a second: 80 % of Whop's limit
)

var tailQuantiles = []float64{0.5, 0.99, 0.999}

// pair is a client by hand and one of wrapper, with its default limiter. Each has a
// connection of its own.
type pair struct {
	number int
	send   [2]func(context.Context) error // by hand, by Send
	took   [2][]time.Duration
	close  func()
}

func newPair(at endpoints, protocol string, number int) (*pair, error) {
	url := at.url(protocol)
	var clients [2]*http.Client
	for i := range clients {
		transport, err := newTransport(at)
		if err != nil {
			return nil, err
		}
		clients[i] = &http.Client{Transport: transport}
	}
	wrapper, err := whop.NewClient(whop.WithAPIKey(apiKey), whop.WithBaseURL(url), whop.WithHTTPClient(clients[1]))
	if err != nil {
		return nil, err
	}
	return &pair{
		number: number,
		send: [2]func(context.Context) error{
			func(ctx context.Context) error { return byHand(ctx, clients[0], url+"/notifications") },
			func(ctx context.Context) error {
				_, err := wrapper.Send(ctx, notification())
				return err
			},
		},
		close: func() {
			for _, c := range clients {
				c.CloseIdleConnections()
			}
		},
	}, nil
}

// run sends once by each in every beat, half a beat apart, for so long. Who goes first
// changes from beat to beat, and from pair to pair, so that a few milliseconds of noise hit
// both kinds alike. The first beat only opens connections.
func (p *pair) run(ctx context.Context, start time.Time, length time.Duration) error {
	p.took = [2][]time.Duration{}
	for beat := range 1 + max(1, int(length/tailBeat)) {
		for half := range 2 {
			at := start.Add(time.Duration(2*beat+half) * tailBeat / 2)
			select {
			case <-time.After(time.Until(at)):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			which := (p.number + beat + half) % 2
			began := time.Now()
			if err := p.send[which](ctx); err != nil {
				return err
			}
			if took := time.Since(began); beat > 0 {
				p.took[which] = append(p.took[which], took)
			}
		}
	}
	return nil
}

// latency is one quantile of a run, in µs: by hand, and by Send.
type latency [2]float64

// writeTail compares the latency of Send with that of by hand at 80 % of Whop's limit.
// Such a slow rate yields few samples, so many pairs of clients send at the same time, each
// at that rate and out of step with the others.
func writeTail(ctx context.Context, w io.Writer, at endpoints, length time.Duration) error {
	protocols := []string{"http/1.1", "h2"}
	pairs := map[string][]*pair{}
	for _, protocol := range protocols {
		for number := range tailPairs {
			p, err := newPair(at, protocol, number)
			if err != nil {
				return err
			}
			defer p.close()
			pairs[protocol] = append(pairs[protocol], p)
		}
	}
	runs := map[string][][]latency{} // by protocol, run and quantile
	for n := range tailRuns {
		fmt.Fprintf(os.Stderr, "tail: run %d of %d\n", n+1, tailRuns)
		running, ctx := errgroup.WithContext(ctx)
		start := time.Now()
		for i, protocol := range protocols {
			for j, p := range pairs[protocol] {
				phase := tailBeat / 2 * time.Duration(i+j*len(protocols)) / time.Duration(len(protocols)*tailPairs)
				running.Go(func() error { return p.run(ctx, start.Add(phase), length) })
			}
		}
		if err := running.Wait(); err != nil {
			return err
		}
		for _, protocol := range protocols {
			runs[protocol] = append(runs[protocol], latencies(pairs[protocol]))
		}
	}
	samples := tailPairs * len(pairs["h2"][0].took[0])
	fmt.Fprintf(w, "| latency at 8/s each, µs: median of %d runs of %d sends | p50 | p99 | p99.9 |\n|---|---|---|---|\n", tailRuns, samples)
	for _, protocol := range protocols {
		writeLatencies(w, protocol, runs[protocol])
	}
	fmt.Fprintln(w)
	return nil
}

func latencies(pairs []*pair) []latency {
	result := make([]latency, len(tailQuantiles))
	for which := range 2 {
		var all []time.Duration
		for _, p := range pairs {
			all = append(all, p.took[which]...)
		}
		slices.Sort(all)
		for i, q := range tailQuantiles {
			rank := int(math.Ceil(q*float64(len(all)))) - 1
			result[i][which] = float64(all[rank]) / float64(time.Microsecond)
		}
	}
	return result
}

func writeLatencies(w io.Writer, protocol string, runs [][]latency) {
	for _, row := range []struct {
		name string
		of   func(latency) float64
		sign string
	}{
		{"by hand", func(l latency) float64 { return l[0] }, ""},
		{"Send", func(l latency) float64 { return l[1] }, ""},
		{"Send less by hand, of the same run", func(l latency) float64 { return l[1] - l[0] }, "+"},
	} {
		fmt.Fprintf(w, "| %s, %s |", protocol, row.name)
		for i := range tailQuantiles {
			var values []float64
			for _, run := range runs {
				values = append(values, row.of(run[i]))
			}
			slices.Sort(values)
			fmt.Fprintf(w, " %"+row.sign+".0f |", values[len(values)/2])
		}
		fmt.Fprintln(w)
	}
}
