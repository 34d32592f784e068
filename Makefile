# `make` or `make help` lists what one can do. Nothing here is more than the command it shows.
.DEFAULT_GOAL := help
.PHONY: help test race lint fmt tidy kafka integration containers image ci ci-full

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## unit tests and examples on the reference broker: go test ./...
	go test ./...

race: ## the same under the race detector, fault runs included
	.ci/run race

lint: ## vet, gofmt, tidy, nested modules, golangci-lint
	.ci/run core

fmt: ## format everything
	gofmt -s -w .

tidy: ## go mod tidy in every module
	@for d in $$(find . -name go.mod -not -path '*/node_modules/*' -not -path '*/testdata/*' -exec dirname {} \;); do (cd $$d && go mod tidy); done

kafka: ## three brokers of real Apache Kafka on loopback until Ctrl-C (Java 17, Maven)
	cd integration && go run ./cmd/real-kafka

integration: ## the guarantee suite on real Apache Kafka
	.ci/run kafka

containers: ## the image and its tests in containers, on a Docker engine of their own (root, Debian)
	.ci/run containers

image: ## build the image of the reference broker: sordini/broker:dev (Docker, Debian)
	broker/container/image/build

ci: ## what a change has to pass
	.ci/run

ci-full: ## the same with the long runs
	.ci/run --full
