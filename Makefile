.PHONY: help demo interop browser test fuzz soak lint lint-workflows vuln generate check-generated importer-build api-diff bench spec-diff spec-update spec-address FORCE

# Each module by itself, as those have it who import it: the workspace of go.work would build
# all with the highest version that one of them requires. .ci/each runs a command in each.
export GOWORK := off

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: ## send two notifications to a stand-in for Whop, through a 503 and a 429
	go -C wrapper/cmd/whop-notify run . demo

interop_dir = wrapper/cmd/whop-notify/testdata/interop

interop: ## run Whop's own TypeScript SDKs, and the requests of newer ones, against whop-notify serve and relay: needs node and npm
	cd $(interop_dir) && npm ci --no-audit --no-fund --ignore-scripts
	go -C wrapper/cmd/whop-notify build -o $(CURDIR)/bin/whop-notify .
	node $(interop_dir)/interop.mjs bin/whop-notify
	node $(interop_dir)/relay.mjs bin/whop-notify

# Ubuntu calls it chromium-browser, Debian chromium.
browser: ## try the page of whop-notify serve in Chromium, which it installs by apt-get if there is none
	@command -v chromium chromium-browser || { \
		sudo=; test $$(id -u) = 0 || sudo='sudo -n'; $$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends chromium; }
	go -C wrapper/cmd/whop-notify build -o $(CURDIR)/bin/whop-notify .
	CHROMIUM=$$(command -v chromium || command -v chromium-browser) WHOP_NOTIFY=$(CURDIR)/bin/whop-notify SCREENSHOTS=$(CURDIR)/bin/screenshots \
		go -C .ci/browser test -tags browser -count 1 -timeout 10m -v $(TESTFLAGS) .

# Two modules at a time: many of their tests wait. specsync starts no goroutine, and takes five
# times as long under the race detector.
test: ## run all tests, under the race detector where there are goroutines
	.ci/each --jobs 2 sh -c 'case $$PWD in */gen/specsync) race= ;; *) race=-race ;; esac && go test $$race $(TESTFLAGS) ./...'

FUZZTIME ?= 10s

fuzz: ## each fuzz test for a while [FUZZTIME=10s, or 5000x]
	@for package in $$(grep -rl --include '*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for name in $$(go -C $$package test -list '^Fuzz' . | grep '^Fuzz'); do \
			echo "$$package $$name"; \
			go -C $$package test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) || exit 1; \
		done; \
	done

DURATION ?= 5m

soak: ## the fault suite for longer [DURATION=5m]
	WHOP_SOAK=$(DURATION) go -C wrapper/cmd/whop-notify test -race -run 'Killed$$|OneBudget$$' -v -count 1 -timeout 0 .
	WHOP_SOAK=$(DURATION) go -C wrapper test -race -run '^TestFaults' -v -count 1 -timeout 0 .
	WHOP_SOAK=$(DURATION) go -C wrapper/queue test -race -run '^TestFaults' -v -count 1 -timeout 0 .

# Builds a tool of .ci/tools, and prints where it is.
tool = go -C .ci/tools tool -n

# All of staticcheck, the checks too that it leaves out by default (ST1000, ST1003, ST1016,
# ST1020 to ST1022): what they ask of comments and names is the style here. But for what ogen
# generates there is no exception: a finding is fixed, or excused where it stands by
# //lint:ignore with a reason.
lint: ## vet, staticcheck, gofumpt, go fix, go mod tidy
	.ci/each go vet ./...
	@staticcheck=$$($(tool) staticcheck) && set -x && \
		.ci/each sh -c '"$$0" -checks all $$(go list ./... | grep -v /bench/oas$$)' "$$staticcheck"
	@gofumpt=$$($(tool) gofumpt) && unformatted=$$("$$gofumpt" -l .) && \
		{ test -z "$$unformatted" || { echo "not formatted, run $$gofumpt -w:" $$unformatted; exit 1; }; }
	.ci/each go fix -diff ./...
	.ci/each go mod tidy -diff

lint-workflows: ## check .github/workflows
	@actionlint=$$($(tool) actionlint) && set -x && "$$actionlint"

vuln: ## look for known vulnerabilities that are reachable from here: needs network
	@govulncheck=$$($(tool) govulncheck) && set -x && .ci/each "$$govulncheck" ./...

generate: ## generate gen/ and gen/current/ from their openapi.yml
	go generate ./...

check-generated: ## fail if the generated code differs from what the specifications produce
	.ci/check-generated

importer-build: ## build a program that imports wrapper, and see what else it builds
	.ci/importer-build

api-diff: ## what changed in the exported API since the last release
	.ci/api-diff

BENCHTIME ?= 30s

bench: ## compare the cost and the outcome of a send with other clients: 15 minutes [BENCHTIME=30s for each of 6 settings]
	go test ./wrapper -run '^$$' -bench . -benchmem -benchtime 0.5s -count 6
	@cd $(interop_dir) && npm ci --no-audit --no-fund --ignore-scripts || echo "npm failed: Whop's own SDK may be left out"
	cd wrapper/bench && go build -o ../../bin/bench . && \
		../../bin/bench -time $(BENCHTIME) -o ../../bin/bench.txt -sdk ../../$(interop_dir) && \
		go tool benchstat -col /client ../../bin/bench.txt

# One contract alone, and a file or URL in the place of where Whop publishes it. Without
# both, every contract is compared with the first of its addresses that can be read.
CONTRACT ?=
SPEC ?=
spec_of = $(if $(CONTRACT),--contract '$(CONTRACT)') $(if $(SPEC),'$(SPEC)')

# Built first: go run would turn every exit code into 1.
bin/specsync: FORCE
	@go -C gen/specsync build -o $(CURDIR)/$@ .

spec-diff: bin/specsync ## what changed in POST /notifications: 1 drift, 2 cannot tell [CONTRACT=vendored, current or stable] [SPEC=file or URL]
	bin/specsync diff $(spec_of)

spec-update: bin/specsync ## apply the change to the contract's file [CONTRACT=vendored, current or stable] [SPEC=file or URL]
	bin/specsync update $(spec_of)

spec-address: bin/specsync ## the contracts, their files and where Whop publishes them
	@bin/specsync sources
