package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"
)

// statusFlags are those of the command status.
type statusFlags struct {
	state  string
	server natsFlags
	output format
}

func newStatus() *cobra.Command {
	f := &statusFlags{output: textFormat}
	cmd := &cobra.Command{
		Use:   "status (--state DIR | --nats URL)",
		Short: "Show a queue at a glance",
		Long: `Show how many notifications of a queue wait, wait for their next try, are in flight, were sent,
and are dead letters; how long the oldest one has waited; and when Whop took one last. The queue
is that of a batch or a relay (--state), or on a NATS server (--nats).

While a process is at work on such a directory, nobody else can look into it. Then this shows
what that process wrote down last, which it does each second, and how old it is.

With --output json the result is one object: waiting, retrying, in_flight, sent, dead, oldest
(in seconds), last_success, at (when it was counted), held (whether by the process at work),
and of a batch its file and notifications.`,
		Example: `  whop-notify status --state paid.ndjson.state
  whop-notify status --nats nats://127.0.0.1:4222 --output json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.state, "state", "", "`DIR` of a batch or a relay")
	f.server.register(flags)
	flags.VarP(&f.output, "output", "o", "`FORMAT`: text or json")
	completeFlags(cmd)
	return cmd
}

// shownStatus is what --output json shows.
type shownStatus struct {
	queueStatus
	At            time.Time `json:"at"`
	Held          bool      `json:"held"` // at is when the process at work wrote it down
	File          string    `json:"file,omitempty"`
	Notifications int       `json:"notifications,omitempty"`
}

func (f *statusFlags) run(cmd *cobra.Command) error {
	if err := checkEmptied(cmd.Flags()); err != nil {
		return usageError(err, "")
	}
	ctx, stop := signalContext(cmd)
	defer stop()
	shown, title := shownStatus{}, ""
	var err error
	if f.state != "" {
		if err := f.server.checkUnused(cmd.Flags()); err != nil {
			return usageError(err, "")
		}
		shown, title, err = f.ofDirectory(ctx)
	} else {
		shown, title, err = f.ofServer(ctx)
	}
	if err != nil {
		return asExit(err)
	}
	text := line(shown)
	if f.output == textFormat {
		text = append([]byte(oneLine(title)+"\n"), table("  ", shown.rows(time.Now()))...)
	}
	_, err = cmd.OutOrStdout().Write(text)
	return err
}

func (f *statusFlags) ofServer(ctx context.Context) (shown shownStatus, title string, err error) {
	if err := f.server.check(); err != nil {
		return shown, "", usageError(fmt.Errorf("--state DIR or a NATS server is required: %w", err), "")
	}
	q, closeQueue, err := f.server.open(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return shown, "", err
	}
	defer closeQueue()
	address, err := f.server.address()
	if err != nil {
		return shown, "", err
	}
	shown.At = time.Now()
	shown.queueStatus, err = countQueue(ctx, q)
	return shown, fmt.Sprintf("the queue %s on %s", f.server.name, withoutPasswords(address)), err
}

// tooOld is the age from which what a process wrote down is doubted.
const tooOld = 5 * time.Second

// freshStatus reports whether a process at work has just written down how far it is.
func freshStatus(dir string) bool {
	held, err := readStatus(dir)
	return err == nil && time.Since(held.At) <= tooOld
}

func (f *statusFlags) ofDirectory(ctx context.Context) (shown shownStatus, title string, err error) {
	title = "the relay in " + f.state
	if !isRelayState(f.state) {
		state, err := readState(f.state)
		if err != nil {
			return shown, "", usageError(err, "")
		}
		shown.File, shown.Notifications = state.Input, state.Notifications
		title = fmt.Sprintf("the batch of %s in %s, %s", counted(state.Notifications), f.state, state.history())
	}
	opened, err := openDirectory(ctx, f.state, 0)
	if errors.Is(err, errInUse) && !freshStatus(f.state) { // it may be another one that only looks
		opened, err = openDirectory(ctx, f.state, lockPatience)
	}
	if errors.Is(err, errInUse) {
		held, err := readStatus(f.state)
		if err != nil {
			return shown, "", fmt.Errorf("another process is at work on %s, and has not written down yet how far it is: %w", f.state, err)
		}
		shown.queueStatus, shown.At, shown.Held = held.Queue, held.At, true
		age := time.Since(held.At).Round(time.Second)
		title += fmt.Sprintf(", as the process at work on it wrote %v ago", age)
		if age > tooOld {
			title += ": it writes each second, unless it is stopped, or waits for a full disk"
		}
		return shown, title, nil
	}
	if err != nil {
		return shown, "", err
	}
	defer opened.close()
	shown.At = time.Now()
	shown.queueStatus, err = countQueue(ctx, opened.queue)
	return shown, title, err
}
