package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// format is the value of --output.
type format string

const (
	textFormat format = "text"
	jsonFormat format = "json"
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "format" }

func (f *format) Set(s string) error {
	switch format(s) {
	case textFormat, jsonFormat:
		*f = format(s)
		return nil
	}
	return errors.New("must be text or json")
}

// writeResult writes to standard output, and to standard error what cannot be.
func writeResult(cmd *cobra.Command, texts ...[]byte) {
	signal.Ignore(syscall.SIGPIPE) // a reader that is gone gives an error too
	for _, text := range texts {
		if _, err := cmd.OutOrStdout().Write(text); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "whop-notify: the result could not be written: %v\n%s", err, text)
		}
	}
}

// line is a value as one line of JSON.
func line(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // nothing of ours fails to encode
	}
	return b.Bytes()
}
