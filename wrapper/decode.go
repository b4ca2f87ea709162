package wrapper

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// UnmarshalJSON reads the body of POST /notifications. Null and empty optional fields
// count as absent; an empty "user_ids" is an audience narrowed to nobody and will
// fail validation. It refuses with a [*ValidationError] what it could not send again
// as it was meant: no target or both, an unknown or repeated field, a field of the
// wrong type, text that is not valid UTF-8. On an error n stays as it was.
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

	var companyID, experienceID *string
	var users *[]string
	var m Message
	fields := map[string]any{
		"company_id":    &companyID,
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
		if err := dec.Decode(into); err != nil {
			return &ValidationError{Field: name, Reason: "must be " + wireType(name)}
		}
	}

	var read Notification
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

func wireType(field string) string {
	if field == "user_ids" {
		return "an array of strings"
	}
	return "a string"
}
