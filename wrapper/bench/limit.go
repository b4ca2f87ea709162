package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

const documentedLimit = 600 // a minute

// writeLimit shows how long each client takes for so many notifications at a server with
// Whop's limit. Each run begins with a limit that nobody has drawn on.
func writeLimit(ctx context.Context, w io.Writer, all []contender, sizes []int) error {
	tallies := make([][]tally, len(all))
	for i, c := range all {
		for _, n := range sizes {
			fmt.Fprintf(os.Stderr, "limit: %s, %d notifications\n", c.name, n)
			server, err := whoptest.New()
			if err != nil {
				return err
			}
			server.SetRateLimit(documentedLimit)
			t, err := contend(ctx, c, server, n)
			if err != nil {
				return err
			}
			tallies[i] = append(tallies[i], t)
		}
	}

	fmt.Fprintf(w, "| time to notify, %d a minute allowed |", documentedLimit)
	for _, n := range sizes {
		fmt.Fprintf(w, " %d |", n)
	}
	fmt.Fprintf(w, " requests each of %d |\n|---|%s\n", sizes[len(sizes)-1], strings.Repeat("---|", len(sizes)+1))
	for i, c := range all {
		fmt.Fprintf(w, "| %s |", c.name)
		for _, t := range tallies[i] {
			fmt.Fprintf(w, " %.1f s", t.took.Seconds())
			if never := t.n - t.told; never > 0 {
				fmt.Fprintf(w, ", %d never notified", never)
			}
			fmt.Fprint(w, " |")
		}
		fmt.Fprintf(w, " %.2f |\n", tallies[i][len(sizes)-1].requestsEach())
	}
	fmt.Fprintln(w)
	return nil
}
