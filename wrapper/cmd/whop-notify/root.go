package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// newRoot makes the tree of commands.
func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "whop-notify",
		Short: "Send Whop push notifications",
		Long: `Send Whop push notifications, and learn whether each one was queued.

The API key comes from the environment variable WHOP_API_KEY or from a file. The
variables WHOP_BASE_URL and WHOP_API_VERSION choose another server and contract.

Results go to standard output, everything else to standard error.

Exit codes:
  0  all was queued
  1  some was not queued; that is certain, unless a batch was interrupted or stopped
  2  wrong usage or input: nothing was tried
  3  unknown: it may have been queued
  70 a bug in this program`,
		Example: `  # See it work, without a key and without network
  whop-notify demo

  # Send one
  export WHOP_API_KEY=...
  whop-notify send --company biz_xxxxxxxxxxxxxx --everybody --title Paid --content "Invoice 7 is paid"`,
		Version:       versionLine(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return errors.Join(cmd.Help(), usageError(errors.New("no command given"), ""))
		},
	}
	root.SetOut(stdout) // before cobra makes its own commands, which keep it
	root.SetErr(stderr)
	root.Flags().Bool("version", false, "print the version") // without cobra's -v
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err, hintOnFlag(err)) })
	root.AddCommand(newSend(), newBatch(), newEnqueue(), newWork(), newRelay(), newStatus(), newDead(), newServe(), newDemo(), newVersion())
	strict(root)
	return root
}

// strict makes cobra's own commands refuse unknown arguments. By default they print help and exit
// with 0, which a script would take for success.
func strict(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.RunE = func(*cobra.Command, []string) error {
				return usageError(errors.New("no shell given: bash, zsh, fish or powershell"), "")
			}
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error {
				_, _, err := root.Find(args)
				return err
			}
		}
	}
}
