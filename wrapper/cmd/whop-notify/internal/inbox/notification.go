package inbox

import (
	"encoding/json"
	"net/http"

	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// notificationView is a notification that was queued.
type notificationView struct {
	ID             int      `json:"id"`
	IdempotencyKey string   `json:"idempotency_key"`
	CompanyID      string   `json:"company_id,omitempty"` // also of account_id
	ExperienceID   string   `json:"experience_id,omitempty"`
	UserIDs        []string `json:"user_ids"` // nil: everybody in the target
	Title          string   `json:"title"`
	Content        string   `json:"content"`
	Subtitle       string   `json:"subtitle"`
	RestPath       string   `json:"rest_path"`
	IconUserID     string   `json:"icon_user_id"`
	Attempts       int      `json:"attempts"` // requests under the key
}

// notificationOf reads as much of a body as there is. Names count to the letter, as they do
// for Whop: decoding into a struct would take Title for title.
func notificationOf(body []byte) (n notificationView) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return n
	}
	for name, into := range map[string]any{
		"company_id": &n.CompanyID, "experience_id": &n.ExperienceID, "user_ids": &n.UserIDs,
		"title": &n.Title, "content": &n.Content, "subtitle": &n.Subtitle, "rest_path": &n.RestPath, "icon_user_id": &n.IconUserID,
	} {
		_ = json.Unmarshal(fields[name], into)
	}
	if n.CompanyID == "" {
		_ = json.Unmarshal(fields["account_id"], &n.CompanyID)
	}
	return n
}

func (in *inbox) queued(w http.ResponseWriter, r *http.Request) {
	filter, err := filterOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	attempts := map[string]int{}
	for _, request := range in.Source.Requests() {
		attempts[request.IdempotencyKey]++
	}
	attempts[""] = 1 // nothing tells which belong together
	writeList(w, filter.of(in.Source.Queued()), func(r whoptest.Request) notificationView {
		n := notificationOf(r.Body)
		n.ID, n.IdempotencyKey = r.ID, r.IdempotencyKey
		n.Attempts = max(1, attempts[r.IdempotencyKey])
		return n
	})
}
