package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings are the flags.
type settings struct {
	only   string
	turn   time.Duration
	total  time.Duration
	most   int
	output string
	tail   time.Duration
	drill  int
	seed   uint64
	limit  []int
	sdk    string
}

var parts = []string{"cost", "growth", "tail", "limit", "drill"}

func main() {
	serving := flag.Bool("serve", false, "be the server, until standard input ends")
	s := settings{limit: []int{100, 500, 900}}
	flag.StringVar(&s.only, "only", strings.Join(parts, ","), "which tables to make")
	flag.DurationVar(&s.turn, "turn", 20*time.Millisecond, "cost: about how long a client's turn is")
	flag.DurationVar(&s.total, "time", 30*time.Second, "cost: about how long they take turns in each of the six settings")
	flag.StringVar(&s.output, "o", os.DevNull, "cost: the file to write benchmark lines to, for benchstat")
	flag.IntVar(&s.most, "most", 1_000_000, "growth: how many notifications to go up to in one SendAll")
	flag.DurationVar(&s.tail, "tail", 60*time.Second, "tail: how long each of the five runs is")
	flag.IntVar(&s.drill, "n", 10_000, "drill: how many notifications each client sends")
	flag.Uint64Var(&s.seed, "seed", 1, "drill: what decides the faults")
	flag.StringVar(&s.sdk, "sdk", "wrapper/cmd/whop-notify/testdata/interop", "limit, drill: where npm ci has installed Whop's own SDK")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := func() error { return bench(ctx, os.Stdout, s) }
	if *serving {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench makes the tables asked for, and writes them to w.
func bench(ctx context.Context, w io.Writer, s settings) (err error) {
	only := strings.Split(s.only, ",")
	for _, part := range only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("-only: there is no %q; there are %s", part, strings.Join(parts, ", "))
		}
	}
	if s.drill < 1 {
		return fmt.Errorf("-n: %d is not a number of notifications", s.drill)
	}
	at, stop, err := startServer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	fmt.Fprintf(w, "%s, %s, %s/%s, %d processors\n\n",
		time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))

	var sdk []contender
	if c, err := contendBySDK(s.sdk); err == nil {
		sdk = append(sdk, c)
	} else if slices.Contains(only, "limit") || slices.Contains(only, "drill") {
		fmt.Fprintf(w, "Whop's own SDK is left out: %v.\n\n", err)
	}
	for _, part := range parts {
		if !slices.Contains(only, part) {
			continue
		}
		switch part {
		case "cost":
			err = writeCost(ctx, w, at, s)
		case "growth":
			err = writeGrowth(ctx, w, s.most)
		case "tail":
			err = writeTail(ctx, w, at, s.tail)
		case "limit":
			all := slices.Concat([]contender{contendBySendAll()}, sdk, []contender{contendByRetryable(), contendByHand()})
			err = writeLimit(ctx, w, all, s.limit)
		case "drill":
			all := slices.Concat([]contender{contendBySend(), contendBySendAgain()}, sdk,
				[]contender{contendByRetryable(), contendByCareful(), contendByHand()})
			err = writeDrill(ctx, w, all, s.seed, s.drill)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

// writeCost compares what clients cost, in every setting.
func writeCost(ctx context.Context, w io.Writer, at endpoints, s settings) (err error) {
	lines, err := os.Create(s.output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	fmt.Fprintf(w, "Turns of about %v; ± is to the far end of a 95 %% confidence interval of the median.\n\n", s.turn)
	var results []*comparison
	for _, protocol := range []string{"http/1.1", "h2"} {
		for _, workers := range []int{1, 32, 256} {
			fmt.Fprintf(os.Stderr, "cost: %s, workers: %d\n", protocol, workers)
			c, err := compare(ctx, at, setting{protocol, workers}, s.turn, s.total)
			if err != nil {
				return err
			}
			results = append(results, c)
			writeBenchmarks(lines, c)
		}
	}
	writeTables(w, results)
	return nil
}
