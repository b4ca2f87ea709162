package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// unprintable are the characters that control a terminal: control characters, changes of text
// direction, and unusual line breaks.
func unprintable(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Zl, unicode.Zp))
}

// printable escapes characters that could control a terminal, and invalid UTF-8.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unprintable(r) {
			return ' '
		}
		return r
	}, s)
}

// oneLine is printable text without line breaks.
func oneLine(s string) string {
	return strings.ReplaceAll(printable(s), "\n", " ")
}

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,~-]+$`)

// shellQuoted is a word of a command that is offered to be pasted into a shell.
func shellQuoted(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}

// counted is "1 notification", "2 notifications".
func counted(n int) string {
	if n == 1 {
		return "1 notification"
	}
	return fmt.Sprintf("%d notifications", n)
}

// escaped returns equivalent JSON without raw characters that control a terminal.
func escaped(encoded []byte) []byte {
	if bytes.IndexFunc(encoded, unprintable) < 0 {
		return encoded
	}
	var b bytes.Buffer
	for _, r := range string(encoded) {
		if unprintable(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}
