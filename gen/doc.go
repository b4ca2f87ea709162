// Package gen is what oapi-codegen makes of the vendored specification of Whop's
// POST /notifications: the bodies, the answers, and a client that sends once. It neither
// retries nor checks anything; programs send with
// [github.com/whopnotify/whopnotify/wrapper], whose API method returns this client over
// its own retries. Package current is the same for the contract that Whop serves today.
//
// The generator numbers the methods of the union type [Notification], and no annotation
// renames them: JSONBody0 is [CompanyNotification], JSONBody1 is [ExperienceNotification].
//
// It changes with the specification, so its names are less steady than those of
// wrapper. "make generate" writes whop.gen.go.
package gen
