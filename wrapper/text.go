package wrapper

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxErrorText = 1 << 10 // bytes of one field of an APIError

// clip bounds what a stranger's answer puts into errors and logs.
func clip(s string) string {
	if len(s) > maxErrorText {
		s = s[:maxErrorText] + "…"
	}
	return strings.ToValidUTF8(s, "�")
}

// oneLine keeps a stranger's text from forging log lines or flooding them.
func oneLine(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
