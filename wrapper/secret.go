package wrapper

import (
	"strconv"
	"strings"
)

// minSecret is the length in bytes from which a token is looked for in what comes
// back. Shorter ones are no secrets, and ordinary words would go with them.
const minSecret = 8

// redact takes the token out of a text that came from elsewhere, also where it is in
// other letter case, as the name of a header is, or escaped as in JSON or a URL.
func redact(text, token string) string {
	if len(token) < minSecret {
		return text
	}
	var b strings.Builder
	kept := 0
	for i := 0; i < len(text); i++ {
		if n := spells(text[i:], token); n > 0 {
			b.WriteString(text[kept:i])
			b.WriteString("[redacted]")
			i += n - 1
			kept = i + 1
		}
	}
	if kept == 0 {
		return text
	}
	b.WriteString(text[kept:])
	return b.String()
}

// spells returns the length of the start of text that stands for the token, 0 if none does.
func spells(text, token string) int {
	length := 0
	for i := range len(token) {
		n := spellsByte(text[length:], token[i])
		if n == 0 {
			return 0
		}
		length += n
	}
	return length
}

// spellsByte is spells for one byte of the token.
func spellsByte(text string, b byte) int {
	if text == "" {
		return 0
	}
	switch plain := strings.EqualFold(text[:1], string(b)); {
	case b != '\\' && plain:
		return 1
	case text[0] == '\\' && len(text) > 1 && text[1] == b:
		return 2
	case text[0] == '\\' && len(text) > 5 && text[1] == 'u' && isHexOf(text[2:6], b):
		return 6
	case text[0] == '%' && len(text) > 2 && isHexOf(text[1:3], b):
		return 3
	case plain:
		return 1
	}
	return 0
}

func isHexOf(digits string, b byte) bool {
	n, err := strconv.ParseUint(digits, 16, 16)
	return err == nil && n == uint64(b)
}
