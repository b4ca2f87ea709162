package whoptest_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// later compares two dates whose suffix is a number.
func later(t *testing.T, a, b string) bool {
	t.Helper()
	suffix := func(date string) int {
		if len(date) == len("2026-07-20") {
			return 0
		}
		n, err := strconv.Atoi(strings.TrimPrefix(date[len("2026-07-20"):], "-"))
		require.NoError(t, err, date)
		return n
	}
	if a[:10] != b[:10] {
		return a[:10] > b[:10]
	}
	return suffix(a) > suffix(b)
}

func TestVersions(t *testing.T) {
	dates := whoptest.APIVersions()
	require.True(t, slices.Contains(dates, "2026-07-20") && slices.Contains(dates, "2026-09-25"))
	server := whoptest.NewServer(t)
	for i, date := range dates {
		if i > 0 {
			assert.True(t, later(t, date, dates[i-1]), date)
		}
		good, bad, word, status := toCompany, toAccount, "account_id", 200
		if later(t, date, "2026-07-20") {
			good, bad, word, status = toAccount, toCompany, "company_id", 202
		}
		assert.Equal(t, status, exchange{body: good, header: dated(date)}.do(t, server).status, date)
		assert.Equal(t, status, exchange{body: toExperience, header: dated(date)}.do(t, server).status, date)
		found := exchange{body: bad, header: dated(date)}.fails(t, server, 400, "parameter_invalid")
		assert.Contains(t, found.Message, word)
		assert.Equal(t, date, server.Requests()[3*i].APIVersion)
	}
	assert.Len(t, server.Queued(), 2*len(dates))
}

// The dates that Whop's SDKs send, and the newest.
func TestVersionsOfSDKs(t *testing.T) {
	for _, date := range []string{
		"2026-07-20", "2026-08-25-2", "2026-09-02-1", "2026-09-09", "2026-09-13", "2026-09-22-3", "2026-09-25", "2026-10-08",
	} {
		assert.Contains(t, whoptest.APIVersions(), date)
	}
}

func TestUnknownVersions(t *testing.T) {
	server := whoptest.NewServer(t)
	for _, date := range []string{
		"1999-01-01", "2026-07-20-1", "2026-07-21", "2026-09-22-5", "2026-09-25-01", "2026-9-25", "20260720", "2026-07-20,2026-09-25", "latest",
	} {
		found := exchange{body: toCompany, header: dated(date)}.fails(t, server, 400, "parameter_invalid")
		assert.Equal(t, "Api-Version-Date", found.Param)
		for _, supported := range whoptest.APIVersions() {
			assert.Contains(t, found.Message, supported)
		}
	}
	assert.Empty(t, server.Queued())
}

func TestPinnedVersion(t *testing.T) {
	for _, test := range []struct {
		name   string
		pin    string
		header string
		body   string
		status int
	}{
		{name: "vendored by default", body: toCompany, status: 200},
		{name: "account_id by default", body: toAccount, status: 400},
		{name: "original", pin: "2025-01-01", body: toCompany, status: 200},
		{name: "current", pin: "2026-09-25", body: toAccount, status: 202},
		{name: "company_id at current", pin: "2026-09-25", body: toCompany, status: 400},
		{name: "header overrides current", pin: "2026-09-25", header: "2026-07-20", body: toCompany, status: 200},
		{name: "header overrides vendored", pin: "2026-07-20", header: "2026-09-22-4", body: toAccount, status: 202},
		{name: "unknown", pin: "1999-01-01", body: toCompany, status: 400},
		{name: "header overrides unknown", pin: "1999-01-01", header: "2026-07-20", body: toCompany, status: 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := whoptest.NewServer(t)
			server.SetAPIVersion(test.pin)
			request := exchange{body: test.body, pinned: test.pin}
			if test.header != "" {
				request.header = dated(test.header)
			}
			assert.Equal(t, test.status, request.do(t, server).status)
			served := test.pin
			if test.header != "" {
				served = test.header
			} else if served == "" {
				served = "2026-07-20"
			}
			assert.Equal(t, served, server.Requests()[0].APIVersion)

			server.SetAPIVersion("")
			assert.Equal(t, 200, exchange{body: toCompany}.do(t, server).status, "back to the default")
		})
	}
}

// A refusal before the version check still has the envelope of the version's contract.
func TestEnvelopeOfTheVersion(t *testing.T) {
	server := whoptest.NewServer(t)
	for _, date := range []string{"2026-07-20", "2026-09-25"} {
		unauthorized := dated(date)
		unauthorized.Set("Authorization", "Bearer wrong")
		exchange{body: toExperience, header: unauthorized}.fails(t, server, 401, "")
		exchange{path: "/payments", body: toExperience, header: dated(date)}.fails(t, server, 404, "")

		key := dated(date)
		key.Set("Idempotency-Key", strings.Repeat("k", 256))
		found := exchange{body: toExperience, header: key}.fails(t, server, 400, "parameter_invalid")
		assert.Contains(t, found.Message, "Idempotency-Key")
		key.Set("Idempotency-Key", strings.Repeat("k", 245)+date)
		assert.Equal(t, 2, exchange{body: toExperience, header: key}.do(t, server).status/100)
	}

	server.SetAPIVersion("2026-09-25")
	assert.Empty(t, exchange{body: toExperience, header: dated("latest")}.fails(t, server, 400, "parameter_invalid").Param,
		"a date that is unknown gets the envelope of the pinned one")
}
