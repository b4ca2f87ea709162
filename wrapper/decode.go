package wrapper

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// UnmarshalJSON reads the body of POST /notifications, of either contract: company_id and
// account_id are the same target. Null and empty optional fields are taken as absent. Not
// so "user_ids": an empty array is an audience narrowed to nobody and will fail validation,
// and null is an error, since a missing value somewhere upstream would become a broadcast;
// everybody is meant where the field is absent. UnmarshalJSON refuses with a
// [*ValidationError] what it could not send again as it was meant: no target or two, an
// unknown or repeated field, a field of the wrong type, text that is not valid UTF-8 or
// holds half of a surrogate pair. On an error n stays as it was.
func (n *Notification) UnmarshalJSON(b []byte) error {
	if !utf8.Valid(b) {
		return &ValidationError{Reason: "the JSON is not valid UTF-8"}
	}
	if !json.Valid(b) {
		return &ValidationError{Reason: "not valid JSON"}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	if tok, _ := dec.Token(); tok != json.Delim('{') {
		return &ValidationError{Reason: "not a JSON object"}
	}

	var companyID, accountID, experienceID *string
	var users *[]string
	var m Message
	fields := map[string]any{
		"company_id":    &companyID,
		"account_id":    &accountID,
		"experience_id": &experienceID,
		"title":         &m.Title,
		"content":       &m.Content,
		"subtitle":      &m.Subtitle,
		"rest_path":     &m.RestPath,
		"icon_user_id":  &m.IconUserID,
		"user_ids":      &users,
	}
	given := make(map[string]bool, len(fields))
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return &ValidationError{Reason: "not valid JSON"}
		}
		name, _ := tok.(string)
		into, known := fields[name]
		if !known {
			return &ValidationError{Field: name, Reason: "unknown field"}
		}
		if given[name] {
			return &ValidationError{Field: name, Reason: "given twice"}
		}
		given[name] = true
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return &ValidationError{Reason: "not valid JSON"}
		}
		if reason := decodeField(name, raw, into); reason != "" {
			return &ValidationError{Field: name, Reason: reason}
		}
	}

	var read Notification
	if companyID != nil && accountID != nil {
		return twoTargets()
	}
	if companyID == nil {
		companyID = accountID
	}
	switch {
	case companyID != nil && experienceID != nil:
		return twoTargets()
	case companyID != nil:
		read = ToCompany(*companyID, m)
	case experienceID != nil:
		read = ToExperience(*experienceID, m)
	default:
		return missingTarget()
	}
	if users != nil {
		read = read.OnlyUsers(*users...)
	}
	*n = read
	return nil
}

// decodeField decodes one field, or returns what is wrong with it.
func decodeField(name string, raw json.RawMessage, into any) (reason string) {
	switch {
	case name == "user_ids" && string(raw) == "null":
		return "is null, which Whop takes for everybody; leave it out to notify everybody"
	case hasLoneSurrogate(raw):
		return "holds half of a surrogate pair, which is no text"
	case json.Unmarshal(raw, into) == nil:
		return ""
	case name == "user_ids":
		return "must be an array of strings"
	}
	return "must be a string"
}

// hasLoneSurrogate reports whether valid JSON holds an escaped surrogate without its other
// half, for which encoding/json would put U+FFFD.
func hasLoneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++ // to what is escaped
		r := escapedRune(raw[i:])
		if !utf16.IsSurrogate(r) {
			continue
		}
		i += len("ud800")
		if !bytes.HasPrefix(raw[i:], []byte(`\u`)) || utf16.DecodeRune(r, escapedRune(raw[i+1:])) == utf8.RuneError {
			return true
		}
		i += len(`\udc00`) - 1
	}
	return false
}

// escapedRune reads the digits after a backslash of "\ud800", 0 if it is another escape.
func escapedRune(s []byte) rune {
	if s[0] != 'u' {
		return 0
	}
	n, _ := strconv.ParseUint(string(s[1:5]), 16, 32)
	return rune(n)
}
