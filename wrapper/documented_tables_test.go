package wrapper_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// Every option has its row, every variable and default of the code is named.
func TestDocumentedConfiguration(t *testing.T) {
	text := read(t, "wrapper/README.md")
	for _, option := range declared(t, "options.go", "With") {
		assert.Contains(t, text, "\n| `"+option+"` |")
	}
	for _, variable := range regexp.MustCompile(`Getenv\("(\w+)"\)`).FindAllStringSubmatch(read(t, "wrapper/config.go"), -1) {
		assert.Contains(t, text, "| `"+variable[1]+"` |")
	}
	assert.Contains(t, text, "| `"+whop.DefaultBaseURL+"` |")
	assert.Contains(t, text, "| `"+whop.DefaultAPIVersion+"`, ")
}

// Every error has its row, and the row says what the error's Outcome does.
func TestDocumentedErrors(t *testing.T) {
	text := read(t, "wrapper/README.md")
	causes := map[string]struct {
		err   error
		reply whoptest.Reply
	}{
		"ErrUnauthorized":          {whop.ErrUnauthorized, whoptest.Error(401, "", "No.")},
		"ErrForbidden":             {whop.ErrForbidden, whoptest.Error(403, "", "No.")},
		"ErrNotFound":              {whop.ErrNotFound, whoptest.Error(404, "", "No.")},
		"ErrBadRequest":            {whop.ErrBadRequest, whoptest.Error(400, "", "No.")},
		"ErrVerificationRequired":  {whop.ErrVerificationRequired, whoptest.Error(422, "", "No.")},
		"ErrIdempotencyMismatch":   {whop.ErrIdempotencyMismatch, whoptest.Error(400, "idempotency_key_mismatch", "No.")},
		"ErrIdempotencyInProgress": {whop.ErrIdempotencyInProgress, whoptest.Error(409, "idempotency_request_in_progress", "No.")},
		"ErrConflict":              {whop.ErrConflict, whoptest.Error(409, "", "No.")},
		"ErrRateLimited":           {whop.ErrRateLimited, whoptest.RateLimitedAfter(time.Millisecond)},
		"ErrServer":                {whop.ErrServer, whoptest.Error(500, "", "No.")},
		"ErrNotQueued":             {whop.ErrNotQueued, whoptest.NotQueued()},
		"ErrMalformedResponse":     {whop.ErrMalformedResponse, whoptest.Raw(200, "text/html", "<h1>Log in</h1>")},
		"ErrRedirect":              {whop.ErrRedirect, whoptest.Raw(302, "text/html", "")},
	}
	for _, name := range declared(t, "errors.go", "Err") {
		row := regexp.MustCompile("\n\\| `whop\\." + name + "` \\| (no|perhaps) \\|").FindStringSubmatch(text)
		require.NotNil(t, row, name)
		failure, want := &whop.SendError{}, whop.ErrInvalidNotification
		if cause, sent := causes[name]; sent {
			server := whoptest.NewServer(t)
			server.Script(cause.reply)
			want = cause.err
			failure = sendError(t, newClient(t, server.URL(), whop.WithAPIKey(server.APIKey()), once), paid)
		} else {
			failure = sendError(t, newClient(t, "https://whop.test"), whop.Notification{})
		}
		require.ErrorIs(t, failure, want)
		assert.Equal(t, failure.Outcome == whop.Unknown, row[1] == "perhaps", name)
	}
}

var once = whop.WithRetryPolicy(whop.RetryPolicy{MaxAttempts: 1})

// The words by which the table finds an error are those of the error.
func TestDocumentedErrorTexts(t *testing.T) {
	failing := inMemory(inTurn(slices.Repeat([]func() (*http.Response, error){with(500, "")}, 1000)...))
	tired := newClient(t, "https://whop.test", failing)
	for range 60 {
		sendError(t, tired, paid)
	}
	t.Setenv("WHOP_API_KEY", "")
	_, keyless := whop.NewClient()
	silent := inMemory(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	})
	impatient := newClient(t, "https://whop.test", silent, once, whop.WithAttemptTimeout(time.Millisecond))
	text := read(t, "wrapper/README.md")
	explained := func(words string, err error) {
		assert.Contains(t, text, "\n| `"+words+"` |")
		assert.ErrorContains(t, err, words)
	}
	explained("there is no API key", keyless)
	explained("notification not sent", sendError(t, newClient(t, "http://"+closedAddress(t)), paid))
	explained("no complete answer within the attempt's", sendError(t, impatient, paid))
	explained("no retry: too many attempts of this client have failed lately", sendError(t, tired, paid))
}

// declared are the exported names in a file that begin with prefix.
func declared(t *testing.T, file, prefix string) (names []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	add := func(name string) {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if value, ok := spec.(*ast.ValueSpec); ok {
					for _, name := range value.Names {
						add(name.Name)
					}
				}
			}
		}
	}
	require.NotEmpty(t, names)
	return names
}
