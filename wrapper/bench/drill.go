package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// writeDrill lets each client send n notifications through the same faults, one client
// after the other.
func writeDrill(ctx context.Context, w io.Writer, all []contender, seed uint64, n int) error {
	fmt.Fprintf(w, "| %d notifications, 7.5 %% faults | said sent, was not | said failed, was sent | said unknown | notified twice | never notified | requests each |\n|---|---|---|---|---|---|---|\n", n)
	for _, c := range all {
		fmt.Fprintf(os.Stderr, "drill: %s\n", c.name)
		t, err := drill(ctx, c, seed, n)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %.3f |\n",
			c.name, t.wronglySent, t.wronglyFailed, t.unknown, t.twice, t.n-t.told, t.requestsEach())
	}
	fmt.Fprintln(w)
	return nil
}

// drill answers each attempt at each notification with the fault that the seed chose for it.
func drill(ctx context.Context, c contender, seed uint64, n int) (tally, error) {
	server, err := whoptest.New()
	if err != nil {
		return tally{}, err
	}
	attempts := map[int]int{}
	server.ScriptFunc(func(r whoptest.Request) whoptest.Reply {
		i, err := strconv.Atoi(r.Header.Get(numberHeader))
		if err != nil {
			return whoptest.Serve() // and refused
		}
		attempts[i]++
		return fate(seed, i, attempts[i])
	})
	return contend(ctx, c, server, n)
}
