package wrapper

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Validate reports everything that is wrong with the notification: nil, a
// [*ValidationError], or several joined. [Client.Send] calls it before anything else.
// Ids of an unfamiliar shape pass, since Whop accepts any string as an id; only an id
// that is plainly of the other kind of target does not.
func (n Notification) Validate() error {
	var errs []error
	wrong := func(field, reason string, args ...any) {
		errs = append(errs, &ValidationError{Field: field, Reason: fmt.Sprintf(reason, args...)})
	}
	text := func(field, value string) bool {
		if !utf8.ValidString(value) {
			wrong(field, "is not valid UTF-8")
			return false
		}
		return true
	}
	required := func(field, value string) bool {
		if strings.TrimSpace(value) == "" {
			wrong(field, "is required and blank")
			return false
		}
		return text(field, value)
	}

	switch n.target {
	case company:
		if required("company_id", n.targetID) && strings.HasPrefix(n.targetID, "exp_") {
			wrong("company_id", "is the id of an experience, %q, not of a company", clip(n.targetID, maxErrorWords))
		}
	case experience:
		if required("experience_id", n.targetID) && strings.HasPrefix(n.targetID, "biz_") {
			wrong("experience_id", "is the id of a company, %q, not of an experience", clip(n.targetID, maxErrorWords))
		}
	default:
		errs = append(errs, missingTarget())
	}

	m := &n.message
	required("title", m.Title)
	required("content", m.Content)
	text("subtitle", m.Subtitle)
	if text("rest_path", m.RestPath) && m.RestPath != "" && m.RestPath[0] != '/' && m.RestPath[0] != '?' {
		wrong("rest_path", "must start with / or ?, not as %q does", clip(m.RestPath, maxErrorWords))
	}
	text("icon_user_id", m.IconUserID)

	if n.narrowed && len(n.userIDs) == 0 {
		wrong("user_ids", "narrows the audience to nobody; leave user_ids out to notify everybody")
	}
	for i, id := range n.userIDs {
		if strings.TrimSpace(id) == "" {
			wrong("user_ids", "id %d of %d is blank", i+1, len(n.userIDs))
		} else if !utf8.ValidString(id) {
			wrong("user_ids", "id %d of %d is not valid UTF-8", i+1, len(n.userIDs))
		}
	}

	if n.keyed {
		if err := checkIdempotencyKey(n.key); err != nil {
			wrong("Idempotency-Key", "%v", err)
		}
	}

	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// maxIdempotencyKey is Whop's limit (docs.whop.com, developer/api/idempotency).
const maxIdempotencyKey = 255 // bytes

func checkIdempotencyKey(key string) error {
	switch {
	case key == "":
		return errors.New("is empty; leave it out for a random one")
	case len(key) > maxIdempotencyKey:
		return fmt.Errorf("has %d bytes, over the %d that Whop takes", len(key), maxIdempotencyKey)
	case key != strings.TrimSpace(key):
		return errors.New("starts or ends with a space, which a header would lose")
	}
	return headerSafe(key)
}

func missingTarget() *ValidationError {
	return &ValidationError{Field: "company_id", Reason: "no target: one of company_id and experience_id is required"}
}

func twoTargets() *ValidationError {
	return &ValidationError{Field: "company_id", Reason: "two targets: company_id, account_id and experience_id exclude each other"}
}
