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
	"time"
)

func main() {
	serving := flag.Bool("serve", false, "be the server, until standard input ends")
	turn := flag.Duration("turn", 20*time.Millisecond, "about how long a client's turn is")
	total := flag.Duration("time", 30*time.Second, "about how long they take turns in each of the six settings")
	most := flag.Int("most", 1_000_000, "how many notifications to go up to in one SendAll")
	output := flag.String("o", os.DevNull, "the file to write benchmark lines to, for benchstat")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := func() error { return bench(ctx, os.Stdout, *turn, *total, *most, *output) }
	if *serving {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench compares the clients in every setting, and writes tables to w.
func bench(ctx context.Context, w io.Writer, turn, total time.Duration, most int, output string) (err error) {
	at, stop, err := startServer()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	lines, err := os.Create(output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lines.Close()) }()
	fmt.Fprintf(w, "%s, %s, %s/%s, %d processors; turns of about %v; ± is to the far end of a 95 %% confidence interval of the median\n\n",
		time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), turn)

	var results []*comparison
	for _, protocol := range []string{"http/1.1", "h2"} {
		for _, workers := range []int{1, 32, 256} {
			fmt.Fprintf(os.Stderr, "%s, workers: %d\n", protocol, workers)
			c, err := compare(ctx, at, setting{protocol, workers}, turn, total)
			if err != nil {
				return err
			}
			results = append(results, c)
			writeBenchmarks(lines, c)
		}
	}
	writeTables(w, results)

	fmt.Fprintf(os.Stderr, "SendAll of up to %d\n", most)
	sizes, err := measureGrowth(ctx, most)
	if err != nil {
		return err
	}
	writeGrowth(w, sizes)
	return nil
}
