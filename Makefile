# Everything runs from a clean clone on a machine that has Go; the race detector of the tests needs a C compiler too.
# verify-x says what is wrong, update-x repairs it.

GO ?= go
MODULES := . test test/chart test/conformance
ACTIONLINT ?= $(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOLANGCI_LINT ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
COMMIT ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BIN ?= bin

# Without gRPC's pages for tracing, which cost the program many megabytes (docs/adr/0003-no-template-engine.md).
export GOFLAGS := $(GOFLAGS) -tags=grpcnotrace

.DEFAULT_GOAL := help
.PHONY: help
help: ## Show this list.
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/mini-hpa; 4 to 5 minutes on two cores the first time, seconds afterwards.
	@echo "building $(BIN)/mini-hpa: 4 to 5 minutes on two cores the first time, without a word; seconds afterwards"
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -funcalign=8 -X main.version=$(VERSION) -X main.commit=$(COMMIT)" -o $(BIN)/mini-hpa ./cmd/mini-hpa
	@echo "built: $(BIN)/mini-hpa --help says what it does"

.PHONY: image
IMAGE ?= ghcr.io/mini-hpa/mini-hpa
PLATFORMS ?= linux/amd64,linux/arm64
image: ## Write bin/mini-hpa-image.tar (amd64 and arm64) without a container engine.
	cd test && $(GO) run ./image/build -o $(abspath $(BIN))/mini-hpa-image.tar -name $(IMAGE) -version $(VERSION) -commit $(COMMIT) -platform $(PLATFORMS)

.PHONY: release release-snapshot
DIST ?= dist
RELEASE = cd test/chart && $(GO) run ./release -o $(abspath $(DIST)) -commit $(COMMIT)
release: ## Write all files of VERSION=vX.Y.Z into dist/, as RELEASE.md says: programs, SBOMs, image, chart, manifests, checksums.
	$(RELEASE) -version '$(VERSION)'

release-snapshot: ## The same of a commit that is no version.
	$(RELEASE) -version v0.0.0-snapshot -snapshot

.PHONY: control-plane
control-plane: ## Download the control plane's binaries, once, or build them, which takes 10 to 15 minutes on two cores.
	cd test && $(GO) run ./controlplane/cmd/controlplane build $(if $(filter required,$(MINI_HPA_NODE)),--node)

.PHONY: test
test: control-plane ## Run every test, with the race detector, against a real control plane.
	$(GO) vet ./...
	$(GO) test -race -timeout 15m ./...
	cd test && $(GO) vet ./... && $(GO) test -race -timeout 20m ./controlplane/...
	cd test && $(GO) run ./node missing || true # says whether the test of the real node runs
	cd test && $(GO) test -count=1 -race -p 1 -parallel 6 -timeout 45m $$($(GO) list ./... | grep -v /controlplane)
	cd test/chart && $(GO) vet ./... && $(GO) test -count=1 -race -timeout 20m ./...
	cd test/conformance && $(GO) vet ./... && $(GO) test -timeout 15m ./...

.PHONY: test-short
test-short: ## Run the tests of the product's own packages; no control plane, half a minute.
	$(GO) test -race -short ./...

.PHONY: test-faults
FAULTS ?= TestFault
test-faults: control-plane ## Stop and kill controllers, and break their API server, for long; FAULTS=TestFaultX plays one story.
	cd test && $(GO) test -count=1 -timeout 3h -v -parallel 16 -run '^$(FAULTS)' ./e2e -args -long

.PHONY: conformance
CONFORMANCE ?= -seed=1 -workloads=550 -decisions=50000 -zeros=20000
conformance: ## Hold every decision to the real HPA controller's on 550 generated workloads, and plant faults to test that.
	cd test/conformance && $(GO) test -count=1 -timeout 60m -args $(CONFORMANCE) -faults=-1

.PHONY: fuzz
FUZZTIME ?= 1m
fuzz: ## Fuzz every target that there is, FUZZTIME each: the parsers, and the invariants of the decision.
	@grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file function; do \
		target=$${function#func } package=$$(dirname "$$file"); echo "$$package $$target"; \
		(cd "$$package" && $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x .) || exit 1; done

.PHONY: bench
BENCHSTAT ?= $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
COUNT ?= 6
BENCH ?= .
bench: ## Run the benchmarks of the hot paths COUNT times, and compare them with the run before.
	@mkdir -p bench-output && if [ -f bench-output/now.txt ]; then mv bench-output/now.txt bench-output/before.txt; fi
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime 0.3s -count $(COUNT) $$(grep -rl --include=*_test.go '^func Benchmark' annotations cmd informer scaler webhook | xargs -n1 dirname | sort -u | sed 's|^|./|') > bench-output/part.txt || { cat bench-output/part.txt; exit 1; }
	@mv bench-output/part.txt bench-output/now.txt
	$(BENCHSTAT) $$(ls bench-output/before.txt 2>/dev/null) bench-output/now.txt

.PHONY: bench-hpa
N ?= 100,1000
PODS ?= 2
bench-hpa: control-plane ## Hold mini-hpa against the HPA controller with N workloads of PODS pods. Writes docs/benchmarks.md.
	cd test && $(GO) run ./bench --n $(N) --pods $(PODS) $(BENCH_FLAGS) --page ../docs/benchmarks.md

.PHONY: bench-fairness
bench-fairness: control-plane ## Measure what a namespace of 4,000 workloads does to another's ten. Adds to docs/benchmarks.md.
	cd test && $(GO) run ./bench fairness --page ../docs/benchmarks.md

.PHONY: bench-churn
bench-churn: control-plane ## Measure what is left of 30,000 workloads that come and go; a quarter of an hour. Adds to docs/benchmarks.md.
	cd test && $(GO) run ./bench churn --page ../docs/benchmarks.md

.PHONY: bench-sources
bench-sources: control-plane ## Measure what 5,000 workloads cost that wait for Kafka, RabbitMQ and Redis, and what their faults do; half an hour. Adds to docs/benchmarks.md.
	cd test && $(GO) run ./bench sources --page ../docs/benchmarks.md

.PHONY: bench-fleet
bench-fleet: control-plane ## Measure what a look at 5,000 workloads takes, by mini-hpa get; some minutes. Adds to docs/benchmarks.md.
	cd test && $(GO) run ./bench fleet --page ../docs/benchmarks.md

.PHONY: bench-activator
bench-activator: ## Hold the activator against haproxy and nginx, and measure what it takes to hold 10,000 connections (packages haproxy, nginx; two processors). Writes docs/benchmarks-activator.md.
	cd test && $(GO) build -o ../bench-output/proxies ./bench/proxies && taskset -c 1-$$(($$(nproc) - 1)) ../bench-output/proxies --page ../docs/benchmarks-activator.md

.PHONY: demo
demo: control-plane ## Watch an annotated Deployment scale on a control plane of its own; a picture in demo-output/.
	cd test && $(GO) run ./demo

.PHONY: demo-queue
demo-queue: ## Watch a worker sleep, wake for 5,000 messages of a real RabbitMQ, and sleep again; less than four minutes once built.
	cd test && $(GO) run ./demo queue

.PHONY: demo-here
demo-here: ## The same on the current cluster (KUBECONFIG), if it has a metrics API.
	cd test && $(GO) run ./demo --here

.PHONY: cluster-up
cluster-up: ## Start a control plane with load simulation in the background and print its KUBECONFIG.
	@cd test && $(GO) run ./controlplane/cmd/controlplane up

.PHONY: cluster-down
cluster-down: ## Stop it.
	@cd test && $(GO) run ./controlplane/cmd/controlplane down

.PHONY: demo-node
demo-node: ## Install the chart on a real node on this machine (root, containerd, runc) and watch it scale pods that use CPU.
	cd test && $(GO) run ./node demo

.PHONY: demo-node-queue
demo-node-queue: ## The same worker on a real node, with containers as its consumers.
	cd test && $(GO) run ./node queue

.PHONY: demo-wake
demo-wake: ## Watch a workload sleep and wake on requests of five kinds on a real node, with kube-proxy, and see that each is served once.
	cd test && $(GO) run ./node wake --picture=../demo-output/wake.svg

.PHONY: wake-faults
WITH ?= always always,late-proxy always,roll-activators,kill-leader always,refuse always,crash late-proxy late-doors late-pods roll-activators,kill-leader kill-leader refuse crash,hold-unready crash late-proxy,no-prestop late-doors,no-prestop late-doors,no-prestop,no-wait-sleep late-pods,no-wait-out
wake-faults: ## Tell that story with faults, and with what mini-hpa does against them left out, one after the other; four minutes for each of WITH.
	cd test && for with in $(WITH); do $(GO) run ./node wake --with=$$with || exit 1; done

.PHONY: node-up
node-up: ## Start a real node in the background and print its KUBECONFIG.
	@cd test && $(GO) run ./node up

.PHONY: node-down
node-down: ## Stop it.
	@cd test && $(GO) run ./node down

.PHONY: lint verify verify-lint update-lint verify-docs update-docs verify-deps update-deps verify-workflows
lint: verify-lint ## Run golangci-lint.

verify: verify-lint verify-workflows verify-docs verify-deps ## Everything that verify-* checks.

verify-lint:
	$(GOLANGCI_LINT) run ./...
	cd test && $(GOLANGCI_LINT) run -c ../.golangci.yml ./...
	cd test/chart && $(GOLANGCI_LINT) run -c ../../.golangci.yml ./...
	cd test/conformance && $(GOLANGCI_LINT) run -c ../../.golangci.yml ./...

verify-workflows:
	$(ACTIONLINT)

update-lint:
	$(GOLANGCI_LINT) run --fix ./...
	gofmt -w .

verify-docs:
	$(GO) test -run 'Page|Docs|Schema' ./...
	cd test && $(GO) test -count=1 -run 'Links|Pages|Threats|OnRecord' ./arch
	cd test/chart && $(GO) test -run 'Readme|RightsPage' ./...

update-docs: ## Generate the pages under docs/ and the chart's README from the code.
	$(GO) test -run 'Page|Docs' ./annotations ./scaler ./scaler/recommend ./scaler/simulate ./cmd/internal/controller ./cmd/internal/dashboard ./cmd/internal/simulate ./cmd/mini-hpa -update
	$(GO) test -run TestSchema ./cmd/internal/dictionary -update
	cd test && $(GO) test -count=1 -run TestPagesShowWhatWasSeen ./arch -args -update
	cd test/chart && $(GO) test -run TestRightsPage . -update
	cd test/chart && $(GO) tool helm-docs --chart-search-root ../../charts --sort-values-order file

verify-deps:
	for module in $(MODULES); do (cd $$module && $(GO) mod tidy -diff && $(GO) mod verify) || exit 1; done

update-deps:
	for module in $(MODULES); do (cd $$module && $(GO) mod tidy) || exit 1; done
