// The inbox in a real browser. In a module of its own, for chromedp: nobody who builds the
// command has to have that in a go.sum.
module github.com/whopnotify/whopnotify/browser

go 1.26.0

require github.com/whopnotify/whopnotify v0.0.0

replace github.com/whopnotify/whopnotify => ../..

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/apapsch/go-jsonmerge/v2 v2.0.0 // indirect
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/oapi-codegen/runtime v1.8.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)
