package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRoot makes the tree of commands.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "whop-notify",
		Short: "Send Whop push notifications",
		Long: `Send Whop push notifications, and know what became of each.

The API key comes from the environment variable WHOP_API_KEY or from a file. The
variables WHOP_BASE_URL and WHOP_API_VERSION choose another server and contract.

Results go to standard output, everything else to standard error.

Exit codes:
  0  all was queued
  1  some was not queued, and that is certain
  2  wrong usage or input: nothing was tried
  3  unknown: it may have been queued`,
		Example: `  # See it work, without a key and without network
  whop-notify demo

  # Send one
  export WHOP_API_KEY=...
  whop-notify send --company biz_xxxxxxxxxxxxxx --title Paid --content "Invoice 7 is paid"`,
		Version:       versionLine(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usageError(errors.New("no command given"), "")
		},
	}
	root.Flags().Bool("version", false, "print the version") // without cobra's -v
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err, hintOnFlag(err)) })
	root.AddCommand(newSend(), newBatch(), newEnqueue(), newWork(), newDead(), newServe(), newDemo())
	strict(root)
	return root
}

// strict makes cobra's own commands refuse what they do not know: by themselves they
// print help and exit with 0, which a script would take for success.
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

// hintOnFlag helps those who look for a flag that is left out on purpose.
func hintOnFlag(err error) string {
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedName() == "api-key" {
		return "A key among the arguments shows in ps and in the shell's history: set WHOP_API_KEY or give --api-key-file."
	}
	return ""
}

// checkSwallowed refuses a value that is itself a flag: after an empty variable without
// quotes, as in "--user $ID --dry-run", the next flag would be taken for the value.
func checkSwallowed(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			if err == nil && isFlag(flags, v) {
				err = fmt.Errorf("--%s got the flag %s for its value; was a variable empty? Put it in quotes", f.Name, v)
			}
		}
	})
	return err
}

func isFlag(flags *pflag.FlagSet, value string) bool {
	if name, long := strings.CutPrefix(value, "--"); long {
		name, _, _ = strings.Cut(name, "=")
		return flags.Lookup(name) != nil
	}
	return len(value) == 2 && value[0] == '-' && flags.ShorthandLookup(value[1:]) != nil
}
