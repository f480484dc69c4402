# Responder: `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)
FUZZTIME ?= 20s

##@ Using it

.PHONY: run
run: bin/responder ## Run the whole pipeline on the samples, dry, in a fresh data folder, and keep serving
	@./bin/responder run events/ --data $(or $(DATA),"$$(mktemp -d)")

.PHONY: bin/responder
bin/responder: ## Build the command line
	@test -e $@ || echo "Building; the first compile takes two or three minutes …"
	@CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)" -o $@ ./cmd/responder

.PHONY: check
check: bin/responder ## Check rules.yml and flows.yml
	@./bin/responder check

##@ Working on it

.PHONY: test
test: ## Run the tests: Go only, no network after the modules are there
	@echo "The first compile takes two or three minutes …"
	go test -timeout 30m ./...

# The race detector makes the same tests three times as slow; a slow machine is no
# failure, hence the timeouts.
.PHONY: test-race
test-race: ## Run the tests under the race detector (a C compiler)
	@command -v $${CC:-cc} >/dev/null || { echo "make test-race needs a C compiler" >&2; exit 1; }
	CGO_ENABLED=1 go test -race -timeout 30m ./...

.PHONY: lint
lint: ## gofmt, vet, staticcheck, and govulncheck where its database can be reached
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); test -z "$$files" || { echo "gofmt these:"; echo "$$files"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	@./scripts/govulncheck.sh

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME (20s) each
	@./scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: ## Measure: detecting, the pipeline in one process, replay, as a table (dist/bench.md); then each part, by go test -bench
	@mkdir -p dist
	go test -run '^TestTable$$' -count 1 -timeout 30m ./internal/benchmarks -table $(CURDIR)/dist/bench.md
	go test -run '^TestTable$$' -count 1 -timeout 30m ./cmd/responder -table $(CURDIR)/dist/bench.md
	@cat dist/bench.md
	go test -run '^$$' -bench . -benchmem ./internal/lang ./detect ./dispatch ./internal/sqlite ./cmd/responder

.PHONY: test-aws
test-aws: ## Check, build and deploy the templates into an emulator of AWS here, and test all of it (Python 3.11 with venv)
	./scripts/test-aws.sh

.PHONY: test-sam-local
test-sam-local: ## Invoke each function with `sam local invoke` in a container (Python 3.11 with venv, a Docker engine)
	./scripts/test-sam-local.sh

ROUNDS    ?= 500
HISTORIES ?= 10000
SEED      ?= 1
EVENTS    ?= 10000

.PHONY: test-faults
test-faults: ## Kill, starve and damage the program, its store and its way to AWS (Python 3.11 with venv); what came of it is in dist/faults
	@rm -rf dist/faults && mkdir -p dist/faults
	@CGO_ENABLED=0 go build -tags faults -trimpath -ldflags "$(LDFLAGS)" -o dist/faults/responder ./cmd/responder
	@ROUNDS=$(ROUNDS) HISTORIES=$(HISTORIES) SEED=$(SEED) EVENTS=$(EVENTS) ./scripts/test-faults.sh

##@ For AWS

# The functions' processor, arm64 or x86_64: what samconfig.toml gives the parameter
# Architecture, else its default in template.yaml. `sam build` does not tell.
ARCH ?= $(or $(firstword $(shell sed -nE 's/.*Architecture=[\\"]*(arm64|x86_64).*/\1/p' samconfig.toml)),$(shell awk '/^  Architecture:/ {here = 1} here && $$1 == "Default:" {print $$2; exit}' template.yaml))
goarch = $(or $(if $(filter arm64,$(ARCH)),arm64),$(if $(filter x86_64 amd64,$(ARCH)),amd64),$(error ARCH is arm64 or x86_64, not "$(ARCH)"))

FUNCTIONS := IngestFunction DetectFunction DispatchFunction ApproveFunction
RULES      = $(wildcard rules.yml rules.local.yml rules)
FLOWS      = $(wildcard flows.yml flows.local.yml flows templates)

# What each may weigh, in MB: a cold start fetches all of it.
WEIGHTS = IngestFunction:14 DetectFunction:15 DispatchFunction:40 ApproveFunction:15

.PHONY: build
build: $(FUNCTIONS:%=build-%) ## Build the Lambda functions into dist/, for ARCH (arm64)
	@for weight in $(WEIGHTS); do \
	  function=$${weight%:*}; most=$${weight#*:}; size=$$(wc -c < dist/$$function/bootstrap); \
	  test $$size -le $$((most * 1000000)) || { echo "$$function has $$size bytes, more than $$most MB. See \"What a function weighs, and how it starts\" in ARCHITECTURE.md" >&2; exit 1; }; \
	done

build-IngestFunction: program := ingest
build-DetectFunction: program := detect
build-DetectFunction: shipped = $(RULES)
build-DispatchFunction: program := dispatch
build-DispatchFunction: shipped = $(RULES) $(FLOWS)
build-ApproveFunction: program := approve

# `sam build` calls these with ARTIFACTS_DIR, which is empty then; without it
# they build into dist/. What is shipped is checked where it lies, so that a
# file which is left behind or broken is seen here and not on AWS; and so is
# whether the template lets Dispatch do what those flows need, and nothing more.
.PHONY: $(FUNCTIONS:%=build-%)
$(FUNCTIONS:%=build-%): build-%:
	$(if $(ARTIFACTS_DIR),,@rm -rf dist/$*)
	@mkdir -p $(folder)
	@GOOS=linux GOARCH=$(goarch) CGO_ENABLED=0 go build -trimpath -buildvcs=false -tags lambda.norpc -ldflags "$(LDFLAGS)" -o $(folder)/bootstrap ./cmd/$(program)
	@$(if $(shipped),cp -R $(shipped) $(folder)/)
	@$(if $(filter flows.yml,$(shipped)),go run ./cmd/responder check $(definitions))
	@$(if $(filter flows.yml,$(shipped)),go run ./cmd/responder policy --check $(definitions) || { echo "template.yaml and the flows differ. Run: make policy" >&2; exit 1; })
	@echo "$*: $(folder) ($(ARCH))"

folder = $(or $(ARTIFACTS_DIR),dist/$*)
definitions = --rules $(folder)/rules.yml --flows $(folder)/flows.yml

.PHONY: policy
policy: bin/responder ## Write what the enabled flows need into template.yaml and member-role.yaml: IAM, the e-mail topic
	@./bin/responder policy --write

# Where the stack is: what samconfig.toml says, which sam reads by itself, or
# STACK, REGION and PROFILE; else what AWS's own variables say.
configured = $(firstword $(shell sed -nE 's/^[[:space:]]*$(1)[[:space:]]*=[[:space:]]*"([^"]+)".*/\1/p' samconfig.toml))
STACK    = $(or $(call configured,stack_name),responder)
REGION   = $(call configured,region)
PROFILE  = $(call configured,profile)
SAM     ?= sam
there    = $(if $(REGION),--region $(REGION)) $(if $(PROFILE),--profile $(PROFILE))

.PHONY: deploy
deploy: bin/responder ## Deploy all: sam build, sam deploy (SAM_ARGS), the forwarders of every region (ARGS)
	$(SAM) build
	$(SAM) deploy --stack-name $(STACK) $(there) $(SAM_ARGS)
	./bin/responder regions deploy --stack $(STACK) $(there) $(ARGS)

# Forwarders first: they need nothing of the stack to be removed, but would send
# into the void. sam deletes what it has uploaded, too. The secret of the API key
# goes with the stack, at once: CloudFormation asks for no recovery window, so
# that a stack of the same name can be deployed again. Secrets that you made for
# flows (STACK/slack) are yours.
.PHONY: remove
remove: bin/responder ## Remove all: the forwarders of every region (ARGS), the stack with its runs, queues and key; asks first, but for YES=1
	@[ "$(YES)" = 1 ] || ! [ -t 0 ] || { read -rp 'Remove stack $(STACK) with all its runs, its queues and key, and its forwarders? Type its name: ' answer && [ "$$answer" = '$(STACK)' ]; } || { echo "Nothing is removed." >&2; exit 1; }
	./bin/responder regions remove --stack $(STACK) $(there) $(ARGS)
	$(SAM) delete --stack-name $(STACK) $(there) --no-prompts

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist .aws-sam

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} /^[a-zA-Z0-9_.\/-]+:.*?##/ {printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
