.PHONY: help demo interop test fuzz soak lint lint-workflows vuln generate check-generated importer-build api-diff bench spec-diff spec-update spec-address FORCE

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: ## send two notifications to a stand-in for Whop, through a 503 and a 429
	go run ./wrapper/cmd/whop-notify demo

interop_dir = wrapper/cmd/whop-notify/testdata/interop

interop: ## run Whop's own TypeScript SDKs, and the requests of newer ones, against whop-notify serve: needs node and npm
	cd $(interop_dir) && npm ci --no-audit --no-fund --ignore-scripts
	go build -o bin/whop-notify ./wrapper/cmd/whop-notify
	node $(interop_dir)/interop.mjs bin/whop-notify

test: ## run all tests under the race detector
	go test -race $(TESTFLAGS) ./...
	cd wrapper/bench && go test -race $(TESTFLAGS) ./...

FUZZTIME ?= 10s

fuzz: ## each fuzz test for a while [FUZZTIME=10s, or 5000x]
	@for package in $$(grep -rl --include '*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for name in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$name"; \
			go test $$package -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

DURATION ?= 5m

soak: ## the fault suite for longer [DURATION=5m]
	WHOP_SOAK=$(DURATION) go test -race ./wrapper -run '^TestFaults' -v -count 1 -timeout 0

# All of staticcheck, the checks too that it leaves out by default (ST1000, ST1003, ST1016,
# ST1020 to ST1022): what they ask of comments and names is the style here. But for the
# package comment that ogen generates there is no exception: a finding is mended, or excused
# where it stands by //lint:ignore with a reason.
lint: ## vet, staticcheck, gofumpt, go fix, go mod tidy
	go vet ./...
	go tool staticcheck -checks all ./...
	staticcheck=$$(go tool -n staticcheck) && cd wrapper/bench && \
		go vet ./... && $$staticcheck -checks all,-ST1000 ./... && go fix -diff ./... && go mod tidy -diff
	@unformatted=$$(go tool gofumpt -l .); test -z "$$unformatted" || { echo "not formatted, run go tool gofumpt -w:" $$unformatted; exit 1; }
	go fix -diff ./...
	go mod tidy -diff

lint-workflows: ## check .github/workflows
	go tool -modfile=.ci/tools/go.mod actionlint

vuln: ## look for known vulnerabilities that are reachable from here: needs network
	go tool -modfile=.ci/tools/go.mod govulncheck ./...

generate: ## generate gen/ and gen/current/ from their openapi.yml
	go generate ./...

check-generated: ## fail where the generated code is not what the specifications give
	.ci/check-generated

importer-build: ## build a program that imports wrapper, and see what else it builds
	.ci/importer-build

api-diff: ## what changed in the exported API since the last release
	.ci/api-diff

BENCHTIME ?= 30s

bench: ## what a send costs, next to by hand and to other clients: 5 minutes [BENCHTIME=30s for each of 6 settings]
	go test ./wrapper -run '^$$' -bench . -benchmem -benchtime 0.5s -count 6
	cd wrapper/bench && go build -o ../../bin/bench . && \
		../../bin/bench -time $(BENCHTIME) -o ../../bin/bench.txt && \
		go tool benchstat -col /client ../../bin/bench.txt

# Where Whop publishes its specification; any file or URL can take its place.
SPEC ?= https://app.stainless.com/api/spec/documented/whopsdk/openapi.documented.yml

# Built first: go run would turn every exit code into 1.
bin/specsync: FORCE
	@go build -o $@ ./gen/specsync

spec-diff: bin/specsync ## what changed in POST /notifications: 1 drift, 2 cannot tell [SPEC=file or URL]
	bin/specsync diff '$(SPEC)'

spec-update: bin/specsync ## take the change over into openapi.yml [SPEC=file or URL]
	bin/specsync update '$(SPEC)'

spec-address:
	@echo '$(SPEC)'
