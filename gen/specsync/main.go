// Command specsync keeps openapi.yml in step with what Whop publishes.
//
//	go run ./gen/specsync diff SOURCE      # what changed in POST /notifications
//	go run ./gen/specsync update SOURCE    # take the change over into openapi.yml
//
// SOURCE is a file or an http(s) URL: an OpenAPI 3 document in YAML or JSON, with
// one operation or hundreds, or a docs page with the document in a code fence.
//
// The exit code is 0 where nothing changed in meaning (and after an update), 1 where
// diff found a change, 2 where it cannot tell: an answer that is no specification is
// never taken for one that removed everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	exitSame       = 0
	exitDrift      = 1
	exitCannotTell = 2
)

// errDrift makes diff exit with 1; the report has said why.
var errDrift = errors.New("the specification has changed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := command()
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitSame
	case errors.Is(err, errDrift):
		return exitDrift
	default:
		fmt.Fprintln(stderr, "specsync:", err)
		return exitCannotTell
	}
}

func command() *cobra.Command {
	var (
		spec   string
		format string
		from   = fetcher{}
	)
	root := &cobra.Command{
		Use:           "specsync",
		Short:         "Compare and update the vendored specification of " + operationName,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&spec, "spec", "openapi.yml", "the vendored specification")
	flags.DurationVar(&from.timeout, "timeout", time.Minute, "longest wait for a URL, the whole body included")
	flags.Int64Var(&from.limit, "max-bytes", 64<<20, "largest source to read")

	diff := &cobra.Command{
		Use:   "diff SOURCE",
		Short: "Report what changed in meaning; exit 0 none, 1 drift, 2 cannot tell",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := reporter(format)
			if err != nil {
				return err
			}
			_, changes, err := compare(cmd.Context(), from, spec, args[0])
			if err != nil {
				return err
			}
			report(cmd.OutOrStdout(), changes)
			if changes.none() {
				return nil
			}
			return errDrift
		},
	}
	diff.Flags().StringVar(&format, "format", "text", "text or markdown")

	update := &cobra.Command{
		Use:   "update SOURCE",
		Short: "Rewrite the vendored specification where it changed in meaning",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			published, changes, err := compare(cmd.Context(), from, spec, args[0])
			if err != nil {
				return err
			}
			asText(cmd.OutOrStdout(), changes)
			if changes.none() {
				return nil
			}
			if published.gone() {
				return fmt.Errorf("%s: %s is not in it, so there is nothing to write; %s is as it was", args[0], operationName, spec)
			}
			if err := replace(cmd.Context(), spec, published.text); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "\n%s is rewritten; next: make generate, then go vet ./... for what is left to decide\n", spec)
			return nil
		},
	}
	root.AddCommand(diff, update)
	return root
}
