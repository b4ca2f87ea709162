.PHONY: help demo test lint generate check-generated importer-build bench

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: ## send two notifications to a stand-in for Whop, through a 503 and a 429
	go run ./wrapper/cmd/whop-notify demo

test: ## run all tests under the race detector
	go test -race ./...

lint: ## vet, staticcheck, gofumpt, go fix, go mod tidy
	go vet ./...
	go tool staticcheck ./...
	@unformatted=$$(go tool gofumpt -l .); test -z "$$unformatted" || { echo "not formatted, run go tool gofumpt -w:" $$unformatted; exit 1; }
	go fix -diff ./...
	go mod tidy -diff

generate: ## generate gen/ from openapi.yml
	go generate ./...

check-generated: ## fail where gen/ is not what openapi.yml gives
	.ci/check-generated

importer-build: ## build a program that imports wrapper, and see what else it builds
	.ci/importer-build

bench: ## a Send against the same request written by hand
	go test ./wrapper -run '^$$' -bench . -benchmem -count 6
