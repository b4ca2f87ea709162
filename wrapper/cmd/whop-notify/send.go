package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// sendFlags are those of the command send.
type sendFlags struct {
	company, experience string
	message             whop.Message
	users               []string
	everybody           bool
	key                 string
	dryRun              bool
	verbose             bool
	output              format
	client              clientFlags
}

func newSend() *cobra.Command {
	f := &sendFlags{output: textFormat}
	cmd := &cobra.Command{
		Use:   "send (--company ID | --experience ID) (--user ID... | --everybody) --title TEXT --content TEXT",
		Short: "Send one notification",
		Long: `Send one notification, to the team of a company or to all users with access to an
experience. Choose one: --user notifies only the given users among them, --everybody notifies
all of them.

Every attempt carries the same idempotency key, so a retry never notifies twice. If the
outcome is unknown (exit code 3), run the command again with the key that it prints.

The API key comes from WHOP_API_KEY or --api-key-file, never from an argument.

With --output json the result is one object: outcome ("queued", "rejected", "not sent" or
"unknown"), idempotency_key, attempts, status (of the last answer), request_id, replayed,
retry_after (in seconds) and error (message, type, code, param, retryable). Fields that do
not apply are left out. Wrong usage (exit code 2) prints no result.`,
		Example: `  # To the team of a company
  whop-notify send --company biz_xxxxxxxxxxxxxx --everybody --title Paid --content "Invoice 7 is paid"

  # To two users of an experience, opening a page of the app
  whop-notify send --experience exp_xxxxxxxxxxxxxx --user user_xxxxxxxxxxxx1 --user user_xxxxxxxxxxxx2 \
    --title "Class at six" --content "Room 2" --rest-path /bookings/upcoming

  # Safe to repeat after a crash: the same key queues at most once in 24 hours
  whop-notify send --company biz_xxxxxxxxxxxxxx --everybody --title Shipped \
    --content "Order 1234" --idempotency-key order-1234-shipped

  # See the exact request and send nothing
  whop-notify send --company biz_xxxxxxxxxxxxxx --everybody --title Paid --content "Invoice 7 is paid" --dry-run

  # For a program
  whop-notify send --company biz_xxxxxxxxxxxxxx --everybody --title Paid --content "Invoice 7 is paid" --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.company, "company", "", "notify the team of the company with this `ID` (biz_...)")
	flags.StringVar(&f.experience, "experience", "", "notify the users of the experience with this `ID` (exp_...)")
	flags.StringVar(&f.message.Title, "title", "", "headline `TEXT` (required)")
	flags.StringVar(&f.message.Content, "content", "", "main `TEXT` (required)")
	flags.StringArrayVar(&f.users, "user", nil, "only the user with this `ID`; repeat it for more")
	flags.BoolVar(&f.everybody, "everybody", false, "notify everybody in the target")
	flags.StringVar(&f.message.Subtitle, "subtitle", "", "second line of `TEXT` under the title")
	flags.StringVar(&f.message.RestPath, "rest-path", "", "`PATH` in the app to open, as in /settings/billing")
	flags.StringVar(&f.message.IconUserID, "icon-user", "", "`ID` of the user whose picture is the icon")
	flags.StringVar(&f.key, "idempotency-key", "", "`KEY` under which Whop queues at most once in 24 hours (default: random)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show the exact request, the key masked, and send nothing")
	flags.VarP(&f.output, "output", "o", "`FORMAT`: text or json")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "log each attempt on standard error")
	f.client.register(flags)
	f.client.registerOnce(flags)
	completeFlags(cmd)
	return cmd
}

func (f *sendFlags) run(cmd *cobra.Command) error {
	n, err := f.notification(cmd.Flags())
	if err != nil {
		return usageError(err, "")
	}
	if err := f.client.check(); err != nil {
		return usageError(err, "")
	}
	opts, err := f.client.options(cmd.Flags())
	if err != nil {
		return usageError(err, "")
	}
	if f.dryRun {
		return f.showRequest(cmd, n, opts)
	}
	if !hasKey(cmd.Flags()) {
		return usageError(errors.New("no API key"),
			"Set WHOP_API_KEY, or give --api-key-file FILE. To see the request without one, add --dry-run.")
	}
	client, err := whop.NewClient(append(opts, f.logging(cmd)...)...)
	if err != nil {
		return usageError(err, "")
	}

	ctx, stop := signalContext(cmd)
	defer stop()
	if f.client.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, f.client.timeout, fmt.Errorf("the --timeout of %v is over", f.client.timeout))
		defer cancel()
	}
	receipt, err := client.Send(ctx, n)
	f.output.print(cmd, resultOf(receipt, err))
	if failure, ok := errors.AsType[*whop.SendError](err); ok {
		return sendExit(failure, cmd.Flags().Changed("idempotency-key"))
	}
	return err
}

// notification builds a valid notification from the flags.
func (f *sendFlags) notification(flags *pflag.FlagSet) (whop.Notification, error) {
	var n whop.Notification
	if err := checkEmptied(flags); err != nil {
		return n, err
	}
	switch toCompany, toExperience := flags.Changed("company"), flags.Changed("experience"); {
	case toCompany && toExperience:
		return n, errors.New("--company and --experience exclude each other: a notification has one target; to notify both, run the command once for each")
	case toCompany && strings.HasPrefix(f.company, "exp_"):
		return n, fmt.Errorf("--company is the id of an experience, %q; use --experience", f.company)
	case toExperience && strings.HasPrefix(f.experience, "biz_"):
		return n, fmt.Errorf("--experience is the id of a company, %q; use --company", f.experience)
	case toCompany:
		n = whop.ToCompany(f.company, f.message)
	case toExperience:
		n = whop.ToExperience(f.experience, f.message)
	default:
		return n, errors.New("no target: give --company biz_... to notify the team of a company, or --experience exp_... to notify the users of an experience")
	}
	switch narrowed := flags.Changed("user"); {
	case narrowed && f.everybody:
		return n, errors.New("--user and --everybody exclude each other")
	case !narrowed && !f.everybody:
		return n, errors.New("nobody is named: give --user ID for each user to notify, or --everybody")
	}
	if flags.Changed("user") { // even if empty: that is invalid, and never means everybody
		for _, id := range f.users {
			if strings.TrimSpace(id) == "" {
				return n, errors.New("--user is blank, which would leave it open who is notified; to notify all, give --everybody in its place")
			}
			if strings.ContainsAny(id, ", \t\n") {
				return n, fmt.Errorf("--user takes one id, not %q; repeat the flag for each", id)
			}
		}
		n = n.OnlyUsers(f.users...)
	}
	if flags.Changed("idempotency-key") {
		n = n.WithIdempotencyKey(f.key)
	}
	return n, n.Validate()
}

// logging returns the options that log attempts: every attempt with --verbose; on a terminal,
// those followed by a wait.
func (f *sendFlags) logging(cmd *cobra.Command) []whop.Option {
	stderr := cmd.ErrOrStderr()
	switch {
	case f.verbose:
		return []whop.Option{whop.WithLogger(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelDebug})))}
	case isTerminal(stderr):
		return []whop.Option{whop.WithObserver(func(_ context.Context, a whop.Attempt) {
			if a.RetryIn > 0 {
				fmt.Fprintf(stderr, "attempt %d: %s; next in %s\n", a.Number, attemptStatus(a), seconds(a.RetryIn))
			}
		})}
	}
	return nil
}
