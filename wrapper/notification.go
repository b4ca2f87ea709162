package wrapper

import "slices"

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
	// configuration must hold [restPath]. It starts with a slash or a question mark, as in
	// "/settings/billing", "/bookings?id=7" or "?action=review&id=123".
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
// "biz_xxxxxxxxxxxxxx". Whop now calls a company an account: its field is company_id in
// the vendored contract, and account_id in the current one (see [WithAPIVersion]).
// Clicking the notification opens the dashboard view of the app.
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
// not sent. If it is called twice, the last call wins.
//
// It returns a copy: where the result is dropped, n still goes to everybody, which
// [WithoutBroadcasts] catches and nothing else does.
func (n Notification) OnlyUsers(userIDs ...string) Notification {
	n.narrowed = true
	n.userIDs = slices.Clone(userIDs)
	return n
}

// WithIdempotencyKey sets the idempotency key, in place of the random one that every
// [Client.Send] would otherwise make: at most 255 bytes of printable
// ASCII. For 24 hours Whop queues at most one notification under a key of a caller,
// also when it is sent again by another process, so a key made from what the
// notification is about ("order-1234-shipped") survives a crash. The same key with
// another body, target or API version is refused with [ErrIdempotencyMismatch].
//
// Whop keeps a refusal as well: once its cause is fixed, it still repeats a 4xx to the same
// key. Take another key only after such a replay ([APIError.Replayed]) whose outcome is not
// [Unknown]: until then an earlier send under the key may be in doubt, and another key could
// notify twice.
func (n Notification) WithIdempotencyKey(key string) Notification {
	n.keyed = true
	n.key = key
	return n
}

// IdempotencyKey returns the key that [Notification.WithIdempotencyKey] set, "" if none:
// then every [Client.Send] makes a random one.
func (n Notification) IdempotencyKey() string { return n.key }
