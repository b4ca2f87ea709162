// Command whop-notify sends Whop push notifications: a single one, or those of a file or of a
// queue on a NATS server. It also serves a local stand-in of Whop's API to develop against.
//
// It reads the environment variables that the package reads: WHOP_API_KEY,
// WHOP_BASE_URL and WHOP_API_VERSION. Results go to standard output, everything else to
// standard error. It exits with 0 if all was queued, 1 if some was not, 2 on wrong usage
// or input, 3 if it is unknown whether something was queued, and 70 on a bug of its own.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a closed pipe is a write error, and must not kill the process
	defer exitOnPanic(os.Stderr)
	crashByAbort()
	exitOnQuit()
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &output{Writer: stdout}
	root := newRoot(out, stderr)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil || isUnwritten(err) {
		err = out.failure()
	}
	return report(stderr, cmd, err)
}
