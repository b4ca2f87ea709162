package wrapper_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
)

func TestNotificationBody(t *testing.T) {
	full := whop.Message{Title: "T", Content: "C", Subtitle: "S", RestPath: "/settings/billing?id=1", IconUserID: "user_9"}
	for _, test := range []struct {
		name string
		n    whop.Notification
		want string
	}{
		{name: "company", n: whop.ToCompany("biz_1", whop.Message{Title: "T", Content: "C"}), want: `{"company_id":"biz_1","content":"C","title":"T"}`},
		{name: "experience", n: whop.ToExperience("exp_1", whop.Message{Title: "T", Content: "C"}), want: `{"content":"C","experience_id":"exp_1","title":"T"}`},
		{name: "company_all_fields", n: whop.ToCompany("biz_1", full).OnlyUsers("user_1", "user_2"), want: `{"company_id":"biz_1","content":"C","icon_user_id":"user_9","rest_path":"/settings/billing?id=1","subtitle":"S","title":"T","user_ids":["user_1","user_2"]}`},
		{name: "experience_all_fields", n: whop.ToExperience("exp_1", full).OnlyUsers("user_1"), want: `{"experience_id":"exp_1","content":"C","icon_user_id":"user_9","rest_path":"/settings/billing?id=1","subtitle":"S","title":"T","user_ids":["user_1"]}`},
		{name: "characters", n: whop.ToCompany("biz_1", whop.Message{Title: "Ünïcödé 🎉", Content: "a\nb\t\"c\" <d> & \x00"}), want: `{"company_id":"biz_1","title":"Ünïcödé 🎉","content":"a\nb\t\"c\" <d> & \u0000"}`},
		{name: "key_left_out", n: paid.WithIdempotencyKey("k"), want: `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, err := json.Marshal(test.n)
			require.NoError(t, err)
			assert.JSONEq(t, test.want, string(body))

			var back whop.Notification
			require.NoError(t, json.Unmarshal(body, &back))
			again, err := json.Marshal(back)
			require.NoError(t, err)
			assert.Equal(t, string(body), string(again))
		})
	}
}

func TestNotificationImmutable(t *testing.T) {
	everybody := paid
	ids := []string{"user_1", "user_2"}
	two := everybody.OnlyUsers(ids...)
	keyed := two.WithIdempotencyKey("order-1")
	ids[0] = "user_666"
	_ = keyed.OnlyUsers("user_3")

	assert.JSONEq(t, `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid"}`, bodyOf(t, everybody))
	assert.JSONEq(t, `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid","user_ids":["user_1","user_2"]}`, bodyOf(t, two))
	assert.Equal(t, bodyOf(t, two), bodyOf(t, keyed))
	assert.JSONEq(t, `{"company_id":"biz_1","title":"Paid","content":"Invoice 7 is paid","user_ids":["user_3"]}`, bodyOf(t, keyed.OnlyUsers("user_3")))
}

func bodyOf(t *testing.T, n whop.Notification) string {
	t.Helper()
	b, err := n.MarshalJSON()
	require.NoError(t, err)
	return string(b)
}

func TestInvalidNotifications(t *testing.T) {
	ok := whop.Message{Title: "T", Content: "C"}
	message := func(change func(*whop.Message)) whop.Notification {
		m := ok
		change(&m)
		return whop.ToExperience("exp_1", m)
	}
	for _, test := range []struct {
		name   string
		n      whop.Notification
		fields []string
	}{
		{name: "zero", n: whop.Notification{}, fields: []string{"company_id", "title", "content"}},
		{name: "no_target", n: whop.Notification{}.OnlyUsers("user_1"), fields: []string{"company_id", "title", "content"}},
		{name: "blank_company", n: whop.ToCompany(" ", ok), fields: []string{"company_id"}},
		{name: "blank_experience", n: whop.ToExperience("", ok), fields: []string{"experience_id"}},
		{name: "an_experience_as_company", n: whop.ToCompany("exp_1", ok), fields: []string{"company_id"}},
		{name: "a_company_as_experience", n: whop.ToExperience("biz_1", ok), fields: []string{"experience_id"}},
		{name: "company_of_no_UTF-8", n: whop.ToCompany("biz_\xff", ok), fields: []string{"company_id"}},
		{name: "no_title", n: message(func(m *whop.Message) { m.Title = "" }), fields: []string{"title"}},
		{name: "blank_title", n: message(func(m *whop.Message) { m.Title = " \n\t" }), fields: []string{"title"}},
		{name: "title_of_no_UTF-8", n: message(func(m *whop.Message) { m.Title = "a\xff" }), fields: []string{"title"}},
		{name: "no_content", n: message(func(m *whop.Message) { m.Content = "" }), fields: []string{"content"}},
		{name: "content_of_no_UTF-8", n: message(func(m *whop.Message) { m.Content = "\xc3\x28" }), fields: []string{"content"}},
		{name: "subtitle_of_no_UTF-8", n: message(func(m *whop.Message) { m.Subtitle = "\xff" }), fields: []string{"subtitle"}},
		{name: "rest_path_of_no_UTF-8", n: message(func(m *whop.Message) { m.RestPath = "/\xff" }), fields: []string{"rest_path"}},
		{name: "icon_user_of_no_UTF-8", n: message(func(m *whop.Message) { m.IconUserID = "\xff" }), fields: []string{"icon_user_id"}},
		{name: "rest_path_without_a_slash", n: message(func(m *whop.Message) { m.RestPath = "settings" }), fields: []string{"rest_path"}},
		{name: "narrowed_to_nobody", n: paid.OnlyUsers(), fields: []string{"user_ids"}},
		{name: "narrowed_to_nobody_later", n: paid.OnlyUsers("user_1").OnlyUsers([]string{}...), fields: []string{"user_ids"}},
		{name: "a_blank_user", n: paid.OnlyUsers("user_1", " "), fields: []string{"user_ids"}},
		{name: "a_user_of_no_UTF-8", n: paid.OnlyUsers("user_\xff"), fields: []string{"user_ids"}},
		{name: "key_too_long", n: paid.WithIdempotencyKey(strings.Repeat("k", 256)), fields: []string{"Idempotency-Key"}},
		{name: "key_with_a_line_break", n: paid.WithIdempotencyKey("a\r\nb"), fields: []string{"Idempotency-Key"}},
		{name: "key_not_ASCII", n: paid.WithIdempotencyKey("bestellung-ä"), fields: []string{"Idempotency-Key"}},
		{name: "key_with_a_space_at_the_end", n: paid.WithIdempotencyKey("a "), fields: []string{"Idempotency-Key"}},
		{name: "empty_key", n: paid.WithIdempotencyKey(""), fields: []string{"Idempotency-Key"}},
		{name: "several_things", n: whop.ToCompany("", whop.Message{RestPath: "x"}).OnlyUsers(), fields: []string{"company_id", "title", "content", "rest_path", "user_ids"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.n.Validate()
			require.ErrorIs(t, err, whop.ErrInvalidNotification)
			assert.Equal(t, test.fields, fieldsOf(err), "%v", err)

			_, err = json.Marshal(test.n)
			assert.ErrorIs(t, err, whop.ErrInvalidNotification, "there is no JSON of it")

			failure := sendError(t, newClient(t, "https://whop.test", inMemory(inTurn())), test.n)
			assert.Equal(t, whop.NotSent, failure.Outcome)
			assert.Zero(t, failure.Attempts)
			assert.ErrorIs(t, failure, whop.ErrInvalidNotification)
			assert.False(t, failure.Retryable())
		})
	}
}

// fieldsOf lists what a validation error names; a single one comes plain.
func fieldsOf(err error) (fields []string) {
	if one, ok := err.(*whop.ValidationError); ok {
		return []string{one.Field}
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		fields = append(fields, fieldsOf(e)...)
	}
	return fields
}

// Unfamiliar is not invalid.
func TestUnusualNotifications(t *testing.T) {
	m := whop.Message{Title: "T", Content: "C"}
	for _, n := range []whop.Notification{
		whop.ToCompany("VXNlci0xMA==", m),
		whop.ToExperience("4", m),
		whop.ToCompany("user_1", m),
		paid.OnlyUsers("4", "biz_1", "anything"),
		paid.OnlyUsers("user_1", "user_1"),
		paid.WithIdempotencyKey(strings.Repeat("k", 255)),
		paid.WithIdempotencyKey("order 7, shipped ~!"),
	} {
		assert.NoError(t, n.Validate())
	}
}

// Decoding refuses what cannot be sent as meant.
func TestDecodingInvalid(t *testing.T) {
	for _, test := range []struct{ name, json, field string }{
		{name: "no_target", json: `{"title":"T","content":"C"}`, field: "company_id"},
		{name: "null_targets", json: `{"company_id":null,"experience_id":null,"title":"T","content":"C"}`, field: "company_id"},
		{name: "both_targets", json: `{"company_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`, field: "company_id"},
		{name: "unknown_field", json: `{"company_id":"biz_1","title":"T","content":"C","user_id":"u"}`, field: "user_id"},
		{name: "other_capitals", json: `{"company_id":"biz_1","title":"T","content":"C","User_Ids":["u"]}`, field: "User_Ids"},
		{name: "a_field_twice", json: `{"company_id":"biz_1","title":"T","content":"C","user_ids":["u"],"user_ids":null}`, field: "user_ids"},
		{name: "number_for_a_string", json: `{"company_id":"biz_1","title":7,"content":"C"}`, field: "title"},
		{name: "string_for_an_array", json: `{"company_id":"biz_1","title":"T","content":"C","user_ids":"u"}`, field: "user_ids"},
		{name: "number_in_the_array", json: `{"company_id":"biz_1","title":"T","content":"C","user_ids":[1]}`, field: "user_ids"},
		{name: "null", json: `null`},
		{name: "array", json: `[]`},
		{name: "string", json: `"x"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := paid
			err := json.Unmarshal([]byte(test.json), &n)
			require.ErrorIs(t, err, whop.ErrInvalidNotification)
			invalid, ok := errors.AsType[*whop.ValidationError](err)
			require.True(t, ok)
			assert.Equal(t, test.field, invalid.Field, "%v", err)
			assert.Equal(t, bodyOf(t, paid), bodyOf(t, n), "what it was decoded into is as before")
		})
	}
	for name, bad := range map[string]string{
		"cut":            `{"company_id":"biz_1"`,
		"something else": `{} {}`,
		"empty":          ``,
		"not UTF-8":      "{\"company_id\":\"biz_\xff\"}",

		"user_ids null":          `{"company_id":"biz_1","title":"T","content":"C","user_ids":null}`,
		"user_ids null, spaced":  "{\"company_id\":\"biz_1\",\"title\":\"T\",\"content\":\"C\",\"user_ids\" : \n null }",
		"account and company":    `{"company_id":"biz_1","account_id":"biz_1","title":"T","content":"C"}`,
		"account and experience": `{"account_id":"biz_1","experience_id":"exp_1","title":"T","content":"C"}`,
		"all three":              `{"account_id":"biz_1","experience_id":"exp_1","company_id":"biz_1","title":"T","content":"C"}`,
		"account twice":          `{"account_id":"biz_1","account_id":"biz_1","title":"T","content":"C"}`,
		"account not a string":   `{"account_id":7,"title":"T","content":"C"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var n whop.Notification
			assert.ErrorIs(t, n.UnmarshalJSON([]byte(bad)), whop.ErrInvalidNotification)
		})
	}
}

// An empty audience stays empty; it does not become a broadcast.
func TestDecodingEmptyAudience(t *testing.T) {
	var n whop.Notification
	require.NoError(t, json.Unmarshal([]byte(`{"company_id":"biz_1","title":"T","content":"C","user_ids":[]}`), &n))
	assert.Equal(t, []string{"user_ids"}, fieldsOf(n.Validate()))

	require.NoError(t, json.Unmarshal([]byte(`{"experience_id":"exp_1","title":"T","content":"C","subtitle":null,"rest_path":"","icon_user_id":null}`), &n))
	require.NoError(t, n.Validate())
	assert.JSONEq(t, `{"experience_id":"exp_1","title":"T","content":"C"}`, bodyOf(t, n))
}

// What was encoded here is decoded on a shorter way, which must lead to the same.
func TestDecodingFieldOrder(t *testing.T) {
	for _, body := range []string{
		`{"company_id":"biz_1","content":"C","title":"T"}`,
		`{"company_id":"","content":"","title":""}`,
		`{"experience_id":"exp_1","content":"C","icon_user_id":"user_1","rest_path":"/a","subtitle":"S","title":"T","user_ids":["user_1"]}`,
		`{"experience_id":"exp_1","content":"C","title":"T","user_ids":[]}`,
		`{"content":"\u003cb\u003e","experience_id":"exp_1","title":"T"}`,
	} {
		var compact, spread whop.Notification
		require.NoError(t, compact.UnmarshalJSON([]byte(body)), body)
		require.NoError(t, spread.UnmarshalJSON([]byte(" "+body)), body)
		assert.Equal(t, spread, compact)
	}
}

// Ids are quoted without encoding/json where that would do nothing else.
func TestUserEncoding(t *testing.T) {
	ids := []string{"user_1", "é", "a b", "a\u2028", "日本", "\x7f"}
	for b := range byte(128) {
		ids = append(ids, string([]byte{'a', b, 'z'}))
	}
	for _, users := range [][]string{ids, ids[:1], ids[1:2]} {
		want, err := json.Marshal(&gen.CompanyNotification{CompanyID: "biz_1", Title: "[]}", Content: "C", UserIDs: &users})
		require.NoError(t, err)
		got := bodyOf(t, whop.ToCompany("biz_1", whop.Message{Title: "[]}", Content: "C"}).OnlyUsers(users...))
		assert.Equal(t, string(want), got)
	}
}

// Whop calls a company an account today: both words are one target.
func TestDecodingAccountID(t *testing.T) {
	for body, want := range map[string]string{
		`{"account_id":"biz_1","title":"T","content":"C"}`:                      `{"company_id":"biz_1","title":"T","content":"C"}`,
		`{"account_id":null,"experience_id":"exp_1","title":"T","content":"C"}`: `{"experience_id":"exp_1","title":"T","content":"C"}`,
		`{"account_id":"biz_1","company_id":null,"title":"T","content":"C"}`:    `{"company_id":"biz_1","title":"T","content":"C"}`,
	} {
		var n whop.Notification
		require.NoError(t, json.Unmarshal([]byte(body), &n), body)
		assert.JSONEq(t, want, bodyOf(t, n))
	}
	var n whop.Notification
	err := json.Unmarshal([]byte(`{"account_id":"exp_1","title":"T","content":"C"}`), &n)
	require.NoError(t, err)
	assert.Equal(t, []string{"company_id"}, fieldsOf(n.Validate()))
}

// An escaped half of a surrogate pair is no text, wherever it stands.
func TestLoneSurrogates(t *testing.T) {
	const template = `{"company_id":"biz_1","title":"%s","content":"C"}`
	for _, test := range []struct {
		text  string
		valid bool
	}{
		{`\ud83d`, false},
		{`\ude00`, false},
		{`\uDE00\uD83D`, false},
		{`\ud83d\ud83d\ude00`, false},
		{`\ud83dx\ude00`, false},
		{`\ud83d\n`, false},
		{`\\\ud83d`, false},
		{`\ud83d\ude00`, true},
		{`\uD83D\uDE00!`, true},
		{`\\ud83d`, true}, // a backslash, and letters
		{`\u00e9\"`, true},
		{`\ufffd`, true},
	} {
		var n whop.Notification
		err := n.UnmarshalJSON(fmt.Appendf(nil, template, test.text))
		if test.valid {
			require.NoError(t, err, test.text)
			require.NoError(t, n.Validate(), test.text)
			continue
		}
		assert.Equal(t, []string{"title"}, fieldsOf(err), test.text)
	}
	var n whop.Notification
	err := n.UnmarshalJSON([]byte(`{"company_id":"biz_1","title":"T","content":"C","user_ids":["user_1","\udc00"]}`))
	assert.Equal(t, []string{"user_ids"}, fieldsOf(err))
}

func TestWithoutBroadcasts(t *testing.T) {
	requests := 0
	client := newClient(t, "https://whop.test", whop.WithoutBroadcasts(), inMemory(func(*http.Request) (*http.Response, error) {
		requests++
		return response(200, queuedBody), nil
	}))
	failure := sendError(t, client, paid)
	assert.Equal(t, whop.NotSent, failure.Outcome)
	assert.False(t, failure.Retryable())
	assert.Equal(t, []string{"user_ids"}, fieldsOf(failure.Err))
	for r := range client.SendAll(t.Context(), repeat(paid, 1), 1) {
		assert.ErrorIs(t, r.Err, whop.ErrInvalidNotification)
	}
	assert.Zero(t, requests)
	_, err := client.Send(t.Context(), paid.OnlyUsers("user_1"))
	require.NoError(t, err)
	assert.Equal(t, 1, requests)
}
