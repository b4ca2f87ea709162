package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// signalContext returns a context that ends with SIGINT, SIGTERM or, unless nohup has it ignored,
// SIGHUP. A second signal ends the process at once.
func signalContext(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), signals...)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
