// Package current is what oapi-codegen makes of the contract of POST /notifications that
// Whop serves today: one flat body, account_id in place of company_id, status 202 and an
// Idempotency-Key in the contract itself. Its client sends once; it neither retries nor
// checks anything. Programs send with [github.com/whopnotify/whopnotify/wrapper].
//
// The type [Notification] also allows no target and two: that Whop needs exactly one of
// AccountID and ExperienceID, its specification says in words alone.
//
// It changes with the specification, so its names are less steady than those of
// wrapper. "make generate" writes whop.gen.go.
package current
