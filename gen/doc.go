// Package gen is what oapi-codegen makes of Whop's specification of POST /notifications:
// the bodies, the answers, and a client that sends once. It neither retries nor checks
// anything; programs send with [github.com/whopnotify/whopnotify/wrapper], whose API
// method gives this client over its own retries.
//
// It changes with the specification, so its names are less steady than those of
// wrapper. "make generate" writes whop.gen.go.
package gen
