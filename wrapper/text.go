package wrapper

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxErrorText  = 4 << 10 // bytes of an error
	maxErrorField = 1 << 10 // bytes of one field of an APIError
	maxErrorWords = 300     // bytes of one field within a longer text
)

// clip bounds what a stranger's answer puts into errors and logs. It copies, so that a
// part does not keep the whole answer in memory.
func clip(s string, most int) string {
	const more = "…"
	text := strings.ToValidUTF8(s[:min(len(s), most)], "�")
	if len(s) <= most && len(text) <= most {
		return strings.Clone(text)
	}
	end := min(len(text), most-len(more))
	for end > 0 && end < len(text) && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}

// oneLine keeps a stranger's text from forging log lines, moving a terminal's cursor,
// turning the direction of what follows, or flooding either.
func oneLine(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, clip(s, 2*most))
	return clip(strings.Join(strings.Fields(s), " "), most)
}

// peerError is an error whose text a peer may have written parts of.
type peerError struct {
	text string
	err  error // nil if it is too long, or holds the token
}

func (e *peerError) Error() string { return e.text }
func (e *peerError) Unwrap() error { return e.err }

// fromPeer makes err safe to print and to keep: its text is on one line, bounded, and
// without the token. Of a longer error it keeps only whether a context ended.
func fromPeer(err error, token string) error {
	raw := err.Error()
	redacted := redact(raw, token)
	text := oneLine(redacted, maxErrorText)
	switch {
	case text == raw:
		return err
	case redacted == raw && len(raw) <= maxErrorText:
		return &peerError{text: text, err: err}
	}
	e := &peerError{text: text}
	for _, ended := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, ended) {
			e.err = ended
		}
	}
	return e
}
