package whoptest

import (
	"slices"
	"strings"
)

// defaultVersion is the last one of the vendored contract.
const defaultVersion = "2026-07-20"

// The dated versions that Whop is known to have served, in order. A suffix marks another
// version of the same day.
var (
	vendoredVersions = []string{
		"2025-01-01", "2026-06-08", "2026-06-09", "2026-06-20", "2026-07-01", "2026-07-08", "2026-07-08-1",
		"2026-07-18", defaultVersion,
	}
	currentVersions = []string{
		"2026-07-22", "2026-07-23", "2026-07-25", "2026-07-26", "2026-07-27", "2026-07-29", "2026-07-29-1", "2026-07-31",
		"2026-08-03", "2026-08-05", "2026-08-05-1", "2026-08-10", "2026-08-12", "2026-08-13", "2026-08-14",
		"2026-08-21", "2026-08-21-1", "2026-08-25", "2026-08-25-1", "2026-08-25-2", "2026-08-31",
		"2026-09-02", "2026-09-02-1", "2026-09-02-2", "2026-09-04", "2026-09-06", "2026-09-09", "2026-09-09-1",
		"2026-09-11", "2026-09-11-1", "2026-09-13", "2026-09-15",
		"2026-09-22", "2026-09-22-1", "2026-09-22-2", "2026-09-22-3", "2026-09-22-4",
		"2026-09-23", "2026-09-25", "2026-09-29", "2026-10-07-2", "2026-10-08",
	}
)

// APIVersions returns the dates that a server knows, oldest first. Those up to 2026-07-20
// belong to the vendored contract, the later ones to the contract that Whop serves today.
func APIVersions() []string { return slices.Concat(vendoredVersions, currentVersions) }

// contractOf returns the contract of a date, or nil if Whop does not serve that date.
func (c *contracts) contractOf(date string) *contract {
	switch {
	case slices.Contains(vendoredVersions, date):
		return c.vendored
	case slices.Contains(currentVersions, date):
		return c.current
	}
	return nil
}

func unknownVersion() *apiError {
	return badRequest("parameter_invalid", versionHeader,
		"Unknown API version date. Supported dates: "+strings.Join(APIVersions(), ", ")+".")
}
