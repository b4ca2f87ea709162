package wrapper_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
func TestREADMEConfiguration(t *testing.T) {
	text := readme(t)
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
func TestREADMETroubleshooting(t *testing.T) {
	text := readme(t)
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

// The words by which the README finds an error are those of the error.
func TestREADMETroubleshootingByText(t *testing.T) {
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
	text := readme(t)
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

// tooSlow are the targets that nothing runs by itself: they take minutes, or npm.
var tooSlow = []string{"bench", "interop", "soak"}

// The make targets, scripts and files that the documents name are there, and CI runs the targets.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	runs := []string{read(t, ".ci/run"), read(t, ".github/workflows/ci.yml")}
	for _, f := range fencesOf(readme(t)) { // by TestREADME
		runs = append(runs, f.text)
	}
	runByItself := func(target string) bool {
		return slices.ContainsFunc(runs, regexp.MustCompile(`make `+target+`\b`).MatchString)
	}
	for _, document := range []string{"README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"} {
		text := read(t, document)
		for _, m := range regexp.MustCompile("`make (?:-s )?([a-z-]+)").FindAllStringSubmatch(text, -1) {
			out, err := exec.CommandContext(t.Context(), "make", "-C", "..", "-n", m[1]).CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.True(t, runByItself(m[1]) || slices.Contains(tooSlow, m[1]), m[0])
		}
		for _, m := range regexp.MustCompile(`\]\(([\w./-]+\.\w+)\)`).FindAllStringSubmatch(text, -1) {
			assert.FileExists(t, filepath.Join("..", filepath.Dir(document), m[1]))
		}
		for _, m := range regexp.MustCompile("`((?:\\.ci|\\.github|gen|wrapper)/[\\w/.-]*)").FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join("..", m[1]))
			assert.NoError(t, err, document)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", name))
	require.NoError(t, err)
	return string(data)
}
