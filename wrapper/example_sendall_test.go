package wrapper_test

import (
	"context"
	"fmt"
	"log"

	whop "github.com/whopnotify/whopnotify/wrapper"
)

// Many at once. Keys made from what the notifications are about let the whole run be
// repeated after a crash.
func ExampleClient_SendAll() {
	server := standIn()
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	invoices := func(yield func(whop.Notification) bool) {
		for id := range 3 {
			m := whop.Message{Title: "Paid", Content: fmt.Sprintf("Invoice %d is paid", id)}
			n := whop.ToCompany("biz_xxxxxxxxxxxxxx", m).WithIdempotencyKey(fmt.Sprintf("invoice-%d-paid", id))
			if !yield(n) {
				return
			}
		}
	}
	for result := range client.SendAll(context.Background(), invoices, 8) {
		if result.Err != nil {
			log.Println(result.Index, result.Err)
		}
	}
	fmt.Println(len(server.Queued()), "queued")
	// Output: 3 queued
}

// rows is what the example uses of a database cursor; *sql.Rows has it.
type rows interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
	Close() error
}

// bookings makes a sequence of a cursor. A sequence of notifications has no place for
// the cursor's own error, so failed takes it.
func bookings(cursor rows, failed *error) func(yield func(whop.Notification) bool) {
	return func(yield func(whop.Notification) bool) {
		defer cursor.Close()
		for cursor.Next() {
			var booking, user string
			if *failed = cursor.Scan(&booking, &user); *failed != nil {
				return
			}
			n := whop.ToExperience("exp_xxxxxxxxxxxxxx", whop.Message{Title: "Class at six", Content: "Room 2"}).
				OnlyUsers(user).
				WithIdempotencyKey("class-at-six-" + booking)
			if !yield(n) {
				return
			}
		}
		*failed = cursor.Err()
	}
}

// From a database, row by row: a cursor over millions of rows takes no more memory than
// one over ten, since the next row is read only when a worker is free. Here the
// connection to the database breaks after two rows.
func ExampleClient_SendAll_cursor() {
	server := standIn()
	defer server.Close()

	client, err := whop.NewClient(whop.WithBaseURL(server.URL()), whop.WithAPIKey(server.APIKey()))
	if err != nil {
		log.Fatal(err)
	}
	cursor := brokenCursor("booking-1", "user_xxxxxxxxxxxx1", "booking-2", "user_xxxxxxxxxxxx2")
	var failed error // read once the range is over
	for result := range client.SendAll(context.Background(), bookings(cursor, &failed), 8) {
		if result.Err != nil {
			log.Println(result.Index, result.Err)
		}
	}
	if failed != nil {
		fmt.Println("not all rows were read:", failed)
	}
	fmt.Println(len(server.Queued()), "queued")
	// Output:
	// not all rows were read: connection lost
	// 2 queued
}

// fakeRows returns two columns a row, then an error.
type fakeRows struct {
	left []string
	row  []string
}

func brokenCursor(columns ...string) rows { return &fakeRows{left: columns} }

func (r *fakeRows) Next() bool {
	if len(r.left) == 0 {
		return false
	}
	r.row, r.left = r.left[:2], r.left[2:]
	return true
}

func (r *fakeRows) Scan(dest ...any) error {
	for i, d := range dest {
		*d.(*string) = r.row[i]
	}
	return nil
}

func (r *fakeRows) Err() error   { return fmt.Errorf("connection lost") }
func (r *fakeRows) Close() error { return nil }
