package main

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

const keyField = "idempotency_key"

// parseLine reads the API's body with, optionally, an idempotency key among its fields.
func parseLine(line []byte) (n whop.Notification, err error) {
	key, body, err := splitKey(line)
	if err != nil {
		return n, err
	}
	if err := n.UnmarshalJSON(body); err != nil {
		return n, err
	}
	if key != nil {
		n = n.WithIdempotencyKey(*key)
	}
	return n, n.Validate()
}

// splitKey removes the idempotency key from an object, and leaves everything else for
// Notification to check.
func splitKey(line []byte) (key *string, body []byte, err error) {
	if !utf8.Valid(line) || !json.Valid(line) || !bytes.Contains(line, []byte("idempotency")) && !bytes.ContainsRune(line, '\\') {
		return nil, line, nil
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, line, nil
	}
	rest := []byte{'{'}
	for found := false; dec.More(); {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, err
		}
		if name != keyField {
			quoted, err := json.Marshal(name)
			if err != nil {
				return nil, nil, err
			}
			if len(rest) > 1 {
				rest = append(rest, ',')
			}
			rest = append(append(append(rest, quoted...), ':'), value...)
			continue
		}
		if found {
			return nil, nil, &whop.ValidationError{Field: keyField, Reason: "given twice"}
		}
		found = true
		if err := json.Unmarshal(value, &key); err != nil {
			return nil, nil, &whop.ValidationError{Field: keyField, Reason: "must be a string"}
		}
	}
	return key, append(rest, '}'), nil
}
