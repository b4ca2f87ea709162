// Command whop-notify sends Whop push notifications: one, those of a file, or those of a
// queue on a NATS server. It serves a local stand-in of Whop's API to develop against.
//
// It reads the environment variables that the package reads: WHOP_API_KEY,
// WHOP_BASE_URL and WHOP_API_VERSION. Results go to standard output, everything else to
// standard error. It exits with 0 if all was queued, 1 if some was not, 2 on wrong usage
// or input, and 3 if it is unknown whether something was queued.
package main

import (
	"context"
	"io"
	"os"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	return report(stderr, cmd, err)
}
