package wrapper

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/whopnotify/whopnotify/gen"
	"github.com/whopnotify/whopnotify/gen/current"
)

const (
	// DefaultAPIVersion is the Api-Version-Date of the vendored contract, which package
	// gen is generated from: company_id, and 200. It is the date that Whop's TypeScript SDK
	// 0.0.42 sends with it. Without the header, the contract would depend on the age of
	// the API key.
	DefaultAPIVersion = "2026-07-20"
	// CurrentAPIVersion is the Api-Version-Date of the contract that Whop documents
	// today, which package gen/current is generated from: account_id, 202, and a
	// documented Idempotency-Key.
	CurrentAPIVersion = "2026-09-25"
)

// contract is one of the two that an Api-Version-Date chooses from.
type contract int

const (
	vendoredContract contract = iota
	currentContract
)

// dated is a day, and the number of its second and later versions.
var dated = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})(-[1-9]\d{0,8})?$`)

// contractOf returns the contract of a date: with "", and up to DefaultAPIVersion, it is
// the vendored one.
func contractOf(date string) (contract, error) {
	if date == "" {
		return vendoredContract, nil
	}
	parts := dated.FindStringSubmatch(date)
	if parts == nil {
		return 0, errors.New("is not of the form YYYY-MM-DD or YYYY-MM-DD-N, as in " + CurrentAPIVersion)
	}
	day, suffix := parts[1], parts[2]
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return 0, errors.New("is a day that does not exist")
	}
	if day > DefaultAPIVersion || day == DefaultAPIVersion && suffix != "" {
		return currentContract, nil
	}
	return vendoredContract, nil
}

// request makes the generated request, without a body.
func (c contract) request(server string) (*http.Request, error) {
	const contentType = "application/json"
	var none io.Reader
	if c == currentContract {
		return current.NewSendNotificationRequestWithBody(server, &current.SendNotificationParams{}, contentType, none)
	}
	return gen.NewCreateNotificationRequestWithBody(server, contentType, none)
}
