package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// completeFlags keeps the shell from offering file names where none belong.
func completeFlags(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		complete := cobra.NoFileCompletions
		switch flag.Name {
		case "api-key-file", "relay-key-file", "on-dead-secret-file", "state", "tls-cert", "tls-key", "nats-creds", "nats-ca", "nats-cert", "nats-key":
			return
		case "output":
			complete = cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)
		case "base-url":
			complete = cobra.FixedCompletions([]string{whop.DefaultBaseURL, whop.SandboxBaseURL}, cobra.ShellCompDirectiveNoFileComp)
		}
		if err := cmd.RegisterFlagCompletionFunc(flag.Name, complete); err != nil {
			panic(err) // the flag exists
		}
	})
}
