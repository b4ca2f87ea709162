package wrapper

import "strings"

// minSecret is the length in bytes from which a token is looked for in what comes
// back. Shorter ones are no secrets, and ordinary words would go with them.
const minSecret = 8

// redact takes the token out of a text that came from elsewhere.
func redact(text, token string) string {
	if len(token) < minSecret {
		return text
	}
	return strings.ReplaceAll(text, token, "[redacted]")
}

// redactError gives err, or its text alone where that holds the token.
func redactError(err error, token string) error {
	if text := err.Error(); len(token) >= minSecret && strings.Contains(text, token) {
		return redactedError(redact(text, token))
	}
	return err
}

type redactedError string

func (e redactedError) Error() string { return string(e) }
