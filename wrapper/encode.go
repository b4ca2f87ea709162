package wrapper

import (
	"encoding/json"

	"github.com/whopnotify/whopnotify/gen"
	"github.com/whopnotify/whopnotify/gen/current"
)

// MarshalJSON returns the body of POST /notifications in the vendored contract, which is
// also what a queue keeps; a [Client] sends the body of its own contract. The idempotency
// key is a header and not part of it. An invalid notification returns the error of
// [Notification.Validate].
func (n Notification) MarshalJSON() ([]byte, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return n.body(vendoredContract)
}

// body encodes a valid notification.
func (n Notification) body(c contract) ([]byte, error) {
	m := &n.message
	var users *[]string
	if n.narrowed {
		users = &n.userIDs
	}
	switch {
	case c == currentContract:
		body := current.Notification{
			Title:      m.Title,
			Content:    m.Content,
			Subtitle:   optional(&m.Subtitle),
			RestPath:   optional(&m.RestPath),
			IconUserID: optional(&m.IconUserID),
			UserIDs:    users,
		}
		if n.target == company {
			body.AccountID = &n.targetID
		} else {
			body.ExperienceID = &n.targetID
		}
		return json.Marshal(&body)
	case n.target == company:
		return json.Marshal(&gen.CompanyNotification{
			CompanyID:  n.targetID,
			Title:      m.Title,
			Content:    m.Content,
			Subtitle:   optional(&m.Subtitle),
			RestPath:   optional(&m.RestPath),
			IconUserID: optional(&m.IconUserID),
			UserIDs:    users,
		})
	}
	return json.Marshal(&gen.ExperienceNotification{
		ExperienceID: n.targetID,
		Title:        m.Title,
		Content:      m.Content,
		Subtitle:     optional(&m.Subtitle),
		RestPath:     optional(&m.RestPath),
		IconUserID:   optional(&m.IconUserID),
		UserIDs:      users,
	})
}

// optional is nil for an empty string, so that the field is absent.
func optional(s *string) *string {
	if *s == "" {
		return nil
	}
	return s
}
