package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/cmd/whop-notify/internal/inbox"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

func newDemo() *cobra.Command {
	page := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch two notifications being sent, without a key and without network",
		Long: `Send two notifications to a stand-in of Whop's API inside this process, one of them
through two refusals, and show every attempt. It needs no key and no network, and
takes about two seconds.

With --page it stays until Ctrl-C or SIGTERM, for you to look at the page of the stand-in and
to send to it.`,
		Example: `  whop-notify demo

  # And look at what would be notified, in a browser
  whop-notify demo --page`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signalContext(cmd)
			defer stop()
			return demo(ctx, cmd.OutOrStdout(), page)
		},
	}
	cmd.Flags().BoolVar(&page, "page", false, "serve a page of what was sent, until Ctrl-C")
	return cmd
}

// demo tells its story on w.
func demo(ctx context.Context, w io.Writer, page bool) error {
	server, err := whoptest.New()
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	defer server.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	const keep = 1000
	server.SetHistoryLimit(keep)
	front := newFront(inbox.Config{Source: server, Controls: server, Else: server, Keep: keep, Secret: server.APIKey()})
	defer front.Close()
	ended := make(chan error, 1)
	go func() {
		defer exitOnPanic(os.Stderr)
		ended <- front.Serve(listener)
	}()
	root := "http://" + listener.Addr().String() + "/"
	base := root + "api/v1"
	paint := styleOf(w)
	client, err := whop.NewClient(
		whop.WithBaseURL(base),
		whop.WithAPIKey(server.APIKey()),
		whop.WithAPIVersion(whop.DefaultAPIVersion),
		whop.WithObserver(func(_ context.Context, a whop.Attempt) { tell(w, paint, a) }),
	)
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}

	fmt.Fprintf(w, `This sends two notifications to a stand-in of Whop's API that runs inside this
process, at %s. Nothing leaves this machine.
`, base)

	fmt.Fprint(w, `
1. To the team of the company biz_demo: "Paid", "Invoice 7 is paid"
`)
	err = tellSend(ctx, w, paint, client,
		whop.ToCompany("biz_demo", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"}))
	if err != nil {
		return err
	}

	fmt.Fprint(w, `
2. To one user of the experience exp_demo: "Class at six", "Room 2"
   The stand-in first fails with 503, then refuses with 429 and asks to wait a second.
`)
	server.Script(
		whoptest.Error(503, "", "Try again later."),
		whoptest.RateLimited(time.Second),
	)
	err = tellSend(ctx, w, paint, client,
		whop.ToExperience("exp_demo", whop.Message{Title: "Class at six", Content: "Room 2"}).OnlyUsers("user_demo"))
	if err != nil {
		return err
	}

	fmt.Fprintf(w, `
The stand-in got %d requests and queued %d notifications. The attempts of a send carry
one idempotency key, by which Whop knows a retry: nobody is notified twice.
`, len(server.Requests()), len(server.Queued()))
	if !page {
		fmt.Fprint(w, "\nNext: whop-notify send --help\n")
		return nil
	}
	fmt.Fprintf(w, `
See them on %s, until Ctrl-C ends this. To send there, in another terminal:

  export WHOP_API_KEY=%s WHOP_BASE_URL=%s
  whop-notify send --company biz_demo --everybody --title Paid --content "Invoice 8 is paid"
`, root, server.APIKey(), base)
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return &exitError{code: exitNot, err: fmt.Errorf("stopped serving: %w", err)}
	}
}

// tellSend sends and tells the outcome.
func tellSend(ctx context.Context, w io.Writer, paint style, client *whop.Client, n whop.Notification) error {
	receipt, err := client.Send(ctx, n)
	if err != nil {
		return &exitError{code: exitNot, err: err}
	}
	plural := "s"
	if receipt.Attempts == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "   outcome    %s after %d attempt%s\n", paint.good(queued), receipt.Attempts, plural)
	return nil
}

// tell is one attempt on one line.
func tell(w io.Writer, paint style, a whop.Attempt) {
	status, wait := fmt.Sprintf("%-25s", attemptStatus(a)), ""
	if a.Err == nil {
		status = paint.good(status)
	} else {
		status = paint.odd(status)
	}
	if a.RetryIn > 0 {
		wait = "  wait " + seconds(a.RetryIn)
	}
	fmt.Fprintf(w, "   attempt %d  %s  key %s%s\n", a.Number, status, a.IdempotencyKey, wait)
}
