package wrapper

import (
	"encoding/json"
	"slices"

	"github.com/whopnotify/whopnotify/gen"
)

// Message is what a notification says. Whop documents no limit on the length of
// any field. Fields left empty are absent from the request.
type Message struct {
	// Title is the headline. Required.
	Title string
	// Content is the main text. Required.
	Content string
	// Subtitle is a second line under the title.
	Subtitle string
	// RestPath is appended to the deep link that opens the app, whose path
	// configuration must hold [restPath]. It starts with a slash, as in
	// "/settings/billing" or "/bookings?id=7".
	RestPath string
	// IconUserID is the user whose profile picture becomes the icon. Left empty,
	// Whop shows the avatar of the company or experience.
	IconUserID string
}

// Notification is a message with its one target. It is an immutable value, built
// by [ToCompany] or [ToExperience] or decoded from JSON; its methods return changed
// copies. The zero Notification has no target and is invalid.
type Notification struct {
	target   target
	targetID string
	message  Message
	narrowed bool // OnlyUsers was called: an empty userIDs means nobody
	userIDs  []string
	keyed    bool
	key      string
}

// target says which of the two request bodies a notification becomes.
type target int

const (
	noTarget target = iota
	company
	experience
)

// ToCompany addresses m to the team members of a company, as in
// "biz_xxxxxxxxxxxxxx". Clicking it opens the dashboard view of the app.
func ToCompany(companyID string, m Message) Notification {
	return Notification{target: company, targetID: companyID, message: m}
}

// ToExperience addresses m to all users with access to an experience, as in
// "exp_xxxxxxxxxxxxxx". Clicking it opens the experience.
func ToExperience(experienceID string, m Message) Notification {
	return Notification{target: experience, targetID: experienceID, message: m}
}

// OnlyUsers narrows the audience to those of the given users who are in the target.
// A notification on which it was never called goes to everybody there; one on which
// it was called with no ids, say with an empty filter result, is invalid and is
// not sent. The last call counts.
func (n Notification) OnlyUsers(userIDs ...string) Notification {
	n.narrowed = true
	n.userIDs = slices.Clone(userIDs)
	return n
}

// WithIdempotencyKey gives the notification a key of its own, in place of the random
// one that every [Client.Send] would otherwise make: at most 255 bytes of printable
// ASCII. For 24 hours Whop queues at most one notification under a key of a caller,
// also when it is sent again by another process, so a key made from what the
// notification is about ("order-1234-shipped") survives a crash. The same key with
// another body, target or API version is refused with [ErrIdempotencyMismatch]. A refusal
// is kept as well: once its cause is mended, Whop still repeats a 4xx to the same key, so
// take another one then.
func (n Notification) WithIdempotencyKey(key string) Notification {
	n.keyed = true
	n.key = key
	return n
}

// IdempotencyKey is the key that [Notification.WithIdempotencyKey] gave, "" if it gave
// none: then every [Client.Send] makes a random one.
func (n Notification) IdempotencyKey() string { return n.key }

// MarshalJSON gives the body of POST /notifications, exactly as [Client.Send] sends
// it. The idempotency key is a header and not part of it. An invalid notification
// gives the error of [Notification.Validate].
func (n Notification) MarshalJSON() ([]byte, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	return n.body()
}

// body encodes a valid notification.
func (n Notification) body() ([]byte, error) {
	m := &n.message
	var users *[]string
	if n.narrowed {
		users = &n.userIDs
	}
	if n.target == company {
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
