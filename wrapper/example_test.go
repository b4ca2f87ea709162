package wrapper_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"

	"github.com/whopnotify/whopnotify/gen"
	whop "github.com/whopnotify/whopnotify/wrapper"
	"github.com/whopnotify/whopnotify/wrapper/whoptest"
)

// standIn is a Whop of the examples' own, whose next answers are scripted. Leave
// WithBaseURL and WithAPIKey out to send to Whop itself with the key in WHOP_API_KEY.
func standIn(replies ...whoptest.Reply) *whoptest.Server {
	server, err := whoptest.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server.Script(replies...)
	return server
}

// A first send. It goes to a stand-in: with no options at all, the client sends to Whop
// with the key in WHOP_API_KEY.
func Example() {
	server, err := whoptest.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Paid", Content: "Invoice 7 is paid"})
	receipt, err := client.Send(context.Background(), n)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("queued after", receipt.Attempts, "attempt")
	// Output: queued after 1 attempt
}

// The team members of a company.
func ExampleToCompany() {
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{
		Title:    "Payout sent",
		Content:  "It arrives on Monday",
		RestPath: "/settings/billing",
	})
	body, err := json.Marshal(n)
	fmt.Println(string(body), err)
	// Output: {"company_id":"biz_xxxxxxxxxxxxxx","content":"It arrives on Monday","rest_path":"/settings/billing","title":"Payout sent"} <nil>
}

// Everybody with access to an experience.
func ExampleToExperience() {
	n := whop.ToExperience("exp_xxxxxxxxxxxxxx", whop.Message{
		Title:      "Class at six",
		Subtitle:   "Tonight",
		Content:    "Room 2",
		IconUserID: "user_xxxxxxxxxxxxx",
	})
	body, err := json.Marshal(n)
	fmt.Println(string(body), err)
	// Output: {"content":"Room 2","experience_id":"exp_xxxxxxxxxxxxxx","icon_user_id":"user_xxxxxxxxxxxxx","subtitle":"Tonight","title":"Class at six"} <nil>
}

// An audience narrowed to some users. One that came out empty is an error, and never
// everybody.
func ExampleNotification_OnlyUsers() {
	everybody := whop.ToExperience("exp_xxxxxxxxxxxxxx", whop.Message{Title: "Class at six", Content: "Room 2"})
	for _, booked := range [][]string{{"user_xxxxxxxxxxxx1", "user_xxxxxxxxxxxx2"}, {}} {
		n := everybody.OnlyUsers(booked...)
		fmt.Println(n.Validate())
	}
	// Output:
	// <nil>
	// whop: invalid notification: user_ids: narrows the audience to nobody; leave user_ids out to notify everybody
}

// A key made from what the notification is about: sent again, also by another process
// after a crash, it notifies nobody twice within 24 hours.
func ExampleNotification_WithIdempotencyKey() {
	server := standIn()
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	n := whop.ToCompany("biz_xxxxxxxxxxxxxx", whop.Message{Title: "Shipped", Content: "Order 1234"}).
		WithIdempotencyKey("order-1234-shipped")
	for range 2 {
		receipt, err := client.Send(context.Background(), n)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("queued under", receipt.IdempotencyKey, "before:", receipt.Replayed)
	}
	fmt.Println("notifications:", len(server.Queued()))
	// Output:
	// queued under order-1234-shipped before: false
	// queued under order-1234-shipped before: true
	// notifications: 1
}

// A notification from JSON that another program wrote: the body that the API takes.
func ExampleNotification_UnmarshalJSON() {
	var n whop.Notification
	for _, body := range []string{
		`{"experience_id": "exp_xxxxxxxxxxxxxx", "title": "Class at six", "content": "Room 2"}`,
		`{"title": "Class at six", "content": "Room 2"}`,
	} {
		fmt.Println(json.Unmarshal([]byte(body), &n))
	}
	// Output:
	// <nil>
	// whop: invalid notification: company_id: no target: one of company_id and experience_id is required
}

// The generated client with parsed responses, over the retries of this one.
func ExampleClient_API() {
	server := standIn(whoptest.Error(http.StatusForbidden, "", "You do not have permission to access this resource"))
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	api, err := gen.NewClientWithResponses(client.API().Server, gen.WithHTTPClient(client.API().Client))
	if err != nil {
		log.Fatal(err)
	}
	var body gen.Notification
	err = body.FromCreateNotificationJSONBody0(gen.CompanyNotification{CompanyID: "biz_xxxxxxxxxxxxxx", Title: "Paid", Content: "Invoice 7 is paid"})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := api.CreateNotificationWithResponse(context.Background(), body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode(), answer.JSON403.Error.Message)
	// Output: 403 You do not have permission to access this resource
}
