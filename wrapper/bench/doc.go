// Command bench compares what sending a notification costs by different clients: by
// hand with net/http, by the client that oapi-codegen generates, by Send and SendAll of
// wrapper, by the client that ogen generates, and by hand through go-retryablehttp. All
// send the same request over the same connections to one server, which is a process of
// its own, and take turns, so that whatever else the machine does happens to all.
//
// It also compares what becomes of notifications, by clients as their users have them,
// Whop's own SDK among them where node is installed: how long many take under Whop's limit,
// and what each client says of the same faults. The truth is what the server queued.
//
// It prints tables in Markdown, all or those that -only names, and with -o writes a file for benchstat. It is a module
// of its own, so that nothing else depends on what it is compared with; nor does make
// generate touch it, so that a specification that ogen cannot read holds up nothing. To
// regenerate its client, run go generate here.
package main

//go:generate env GOWORK=off go tool ogen -config ogen.yml -target oas -package oas -clean ../../openapi.yml
