.PHONY: help demo test lint generate check-generated bench

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

generate: ## generate gen/ from openapi.yml
	go generate ./...

check-generated: ## fail where gen/ is not what openapi.yml gives
	.ci/check-generated
