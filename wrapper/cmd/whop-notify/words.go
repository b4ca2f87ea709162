package main

import (
	"errors"
	"fmt"
	"strings"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// flagOf maps the package's options and a notification's fields to flags.
var flagOf = map[string]string{
	"WithAPIKey":       "--api-key-file:",
	"WithAPIVersion":   "--api-version",
	"WithBaseURL":      "--base-url",
	"WithInsecureHTTP": "--insecure-http",
	"WHOP_API_KEY":     "WHOP_API_KEY:",

	"company_id":      "--company",
	"experience_id":   "--experience",
	"user_ids":        "--user:",
	"title":           "--title",
	"content":         "--content",
	"subtitle":        "--subtitle",
	"rest_path":       "--rest-path",
	"icon_user_id":    "--icon-user",
	"Idempotency-Key": "--idempotency-key",
}

// inTermsOfFlags returns an error's text with flags in place of options and fields. It changes
// neither a server's words nor the errors of a file's lines, which use the API's names.
func inTermsOfFlags(err error) string {
	text := strings.TrimPrefix(err.Error(), "whop: ")
	if mistakes := mistakesIn(err); len(mistakes) > 0 {
		text = strings.Join(mistakes, "\n")
	}
	return printable(text)
}

// mistakesIn finds what the user got wrong, each with the flag to blame.
func mistakesIn(err error) []string {
	switch e := err.(type) {
	case *lineError, *whop.APIError, *whop.SendError:
		return nil
	case *whop.OptionError:
		return []string{blame(e.Option, e.Reason)}
	case *whop.ValidationError:
		return []string{blame(e.Field, e.Reason)}
	case interface{ Unwrap() error }:
		return mistakesIn(e.Unwrap())
	case interface{ Unwrap() []error }:
		var all []string
		for _, err := range e.Unwrap() {
			all = append(all, mistakesIn(err)...)
		}
		return all
	}
	return nil
}

func blame(name, reason string) string {
	if flag, ok := flagOf[name]; ok {
		name = flag
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", name, reason))
}

// causeOf returns the cause of a failed send. If a server asked for a longer wait than the command
// allows, the package names its own setting.
func causeOf(e *whop.SendError) error {
	answer, ok := errors.AsType[*whop.APIError](e.Err)
	if !ok || e.RetryAfter <= maxRetryAfter {
		return e.Err
	}
	return fmt.Errorf("%w; no retry: the wait is over the %v that this command waits at most", answer, maxRetryAfter)
}

// validationErrors are those that an error holds, in order.
func validationErrors(err error) []*whop.ValidationError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*whop.ValidationError
		for _, one := range joined.Unwrap() {
			all = append(all, validationErrors(one)...)
		}
		return all
	}
	if one, ok := errors.AsType[*whop.ValidationError](err); ok {
		return []*whop.ValidationError{one}
	}
	return nil
}
