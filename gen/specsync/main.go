// Command specsync keeps the specifications of this module in step with what Whop publishes.
//
//	specsync diff                                # what changed in POST /notifications, in every contract
//	specsync diff --contract current SOURCE      # in one contract, at one address or in a file
//	specsync update --contract current SOURCE    # apply the change to the contract's file
//
// SOURCE is a file or an http(s) URL: an OpenAPI 3 document in YAML or JSON, with
// one operation or hundreds, or a docs page with the document in a code fence.
//
// It exits with 0 where nothing changed in meaning (and after an update), with 1 where
// diff found a change, with 2 where it cannot tell: an answer that is no specification, or
// that may have been cut short, is never taken for one that removed something. With
// several contracts a change comes first: 1 says that one has changed, whatever became of
// the others, and standard error names those. A fault of specsync itself exits with 70.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	exitSame       = 0
	exitDrift      = 1
	exitCannotTell = 2
	exitPanic      = 70
)

var (
	// errDrift makes diff exit with 1; the report has said why.
	errDrift = errors.New("the specification has changed")
	// errSaid makes the command exit with 2; standard error has said why.
	errSaid = errors.New("cannot tell")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	code := guard(os.Stderr, func() int { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) })
	stop()
	os.Exit(code)
}

// guard keeps a panic from looking like an answer: Go exits with 2, as "cannot tell" does.
func guard(stderr io.Writer, f func() int) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(stderr, "specsync: a fault of specsync itself; the contract at hand was not written: %s\n%s", printable(fmt.Sprint(p)), debug.Stack())
			code = exitPanic
		}
	}()
	return f()
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
	case errors.Is(err, errSaid):
		return exitCannotTell
	default:
		fmt.Fprintln(stderr, "specsync:", printable(err.Error()))
		return exitCannotTell
	}
}

func command() *cobra.Command {
	var (
		format string
		opts   options
	)
	root := &cobra.Command{
		Use:           "specsync",
		Short:         "Compare and update the specifications of " + operationName,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&opts.contract, "contract", "", "vendored, current or stable (default vendored with SOURCE or --spec, else all)")
	flags.StringVar(&opts.file, "spec", "", "another file in place of the contract's")
	flags.DurationVar(&opts.from.timeout, "timeout", time.Minute, "longest wait for a source, to its last byte")
	flags.Int32Var(&opts.from.limit, "max-bytes", 64<<20, "largest source to read")

	diff := &cobra.Command{
		Use:   "diff [SOURCE]",
		Short: "Report what changed in meaning; exit 0 none, 1 drift, 2 cannot tell",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := reporter(format)
			if err != nil {
				return err
			}
			return opts.each(cmd, args, report, func(_ watched, _ *contract, found *changes) error {
				report(cmd.OutOrStdout(), found)
				if found.none() {
					return nil
				}
				return errDrift
			})
		},
	}
	diff.Flags().StringVar(&format, "format", "text", "text or markdown")

	update := &cobra.Command{
		Use:   "update [SOURCE]",
		Short: "Rewrite a contract's file where what is published changed in meaning",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.each(cmd, args, asText, func(w watched, published *contract, found *changes) error {
				asText(cmd.OutOrStdout(), found)
				if found.none() {
					return nil
				}
				if err := takeOver(cmd.Context(), w, published, found.source); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "\n%s is rewritten", w.file)
				if w.generated {
					fmt.Fprint(cmd.OutOrStdout(), "; next: make generate, then go vet ./... for what is left to decide")
				}
				fmt.Fprintln(cmd.OutOrStdout())
				return nil
			})
		},
	}
	sources := &cobra.Command{
		Use:   "sources",
		Short: "List the contracts, their files and where Whop publishes them",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			for _, w := range contracts {
				for _, source := range w.sources {
					fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\t%s\n", w.name, w.file, source)
				}
			}
		},
	}
	root.AddCommand(diff, update, sources)
	return root
}

// options choose the documents to compare.
type options struct {
	contract, file string
	from           fetcher
}

// chosen are the contracts to compare, with where to read them.
func (o options) chosen(args []string) ([]watched, error) {
	if o.contract == "" && len(args) == 0 && o.file == "" {
		return contracts, nil
	}
	name := o.contract
	if name == "" {
		name = "vendored"
	}
	w, err := contractNamed(name)
	if err != nil {
		return nil, err
	}
	if o.file != "" {
		w.file = o.file
	}
	if len(args) > 0 {
		w.sources = args
	}
	return []watched{w}, nil
}

// each compares the contracts one after another, and passes each comparison to do. It reports a
// failed comparison, and goes on with the others.
func (o options) each(cmd *cobra.Command, args []string, report func(io.Writer, *changes), do func(watched, *contract, *changes) error) error {
	all, err := o.chosen(args)
	if err != nil {
		return err
	}
	var drift, failed bool
	for i, w := range all {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		err := o.first(cmd, w, do)
		switch {
		case errors.Is(err, errDrift):
			drift = true
		case err != nil && len(all) == 1:
			return err
		case err != nil:
			failed = true
			report(cmd.OutOrStdout(), &changes{vendored: w.file, failure: err})
			fmt.Fprintf(cmd.ErrOrStderr(), "specsync: the %s contract: %s\n", w.name, printable(err.Error()))
		}
	}
	switch {
	case drift:
		return errDrift
	case failed:
		return errSaid
	}
	return nil
}

// first compares w with the first of its sources that can be compared.
func (o options) first(cmd *cobra.Command, w watched, do func(watched, *contract, *changes) error) error {
	base, err := readVendored(cmd.Context(), o.from, w.file)
	if err != nil {
		return err
	}
	var failures []error
	for _, source := range w.sources {
		published, found, err := compare(cmd.Context(), o.from, base, source)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		found.vendored, found.skipped = w.file, failures
		return do(w, published, found)
	}
	return oneLine(errors.Join(failures...))
}
