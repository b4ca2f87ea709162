package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/whopnotify/whopnotify/wrapper/queue"
)

func listDead(f *deadFlags, cmd *cobra.Command, q *queue.Queue, _ []string) error {
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	none := true
	for letter, err := range q.Dead(cmd.Context()) {
		if err != nil {
			return &exitError{code: exitNot, err: err}
		}
		if f.output == jsonFormat {
			if _, err := cmd.OutOrStdout().Write(line(deadLine(letter))); err != nil {
				return err
			}
			continue
		}
		if none {
			none = false
			fmt.Fprintln(table, "ID\tLINE\tDIED\tOUTCOME\tKEY\tREASON")
		}
		position := ""
		if line := lineOf(letter.Position); line > 0 {
			position = strconv.Itoa(line)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", letter.ID, position, letter.DiedAt.Format("2006-01-02 15:04"), letter.Outcome,
			oneLine(letter.IdempotencyKey), shorten(oneLine(strings.TrimPrefix(letter.Reason, "whop: ")), 100))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if _, err := cmd.OutOrStdout().Write(text.Bytes()); err != nil {
		return err
	}
	if f.output == textFormat && none {
		fmt.Fprintln(cmd.ErrOrStderr(), "no dead letters")
	}
	return nil
}
