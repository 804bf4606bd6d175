# Each target that is meant for people has a "## " comment, which help prints.
# Arguments: make demo ARGS="--orders 5000", make bench ARGS=latency, make test PKG=./queue ARGS="-run Insert".
PKG  ?= ./...
ARGS ?=

# The race detector needs cgo, and that a C compiler.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

WITHPG := go run ./internal/localpg/withpg
TOOL   := go tool -modfile=.ci/tools/go.mod

.DEFAULT_GOAL := help
.PHONY: help demo bench bench-peers bench-all bench-page bench-test test vet lint fmt vuln build schema \
	up down clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | \
		while IFS="$$(printf '\t')" read -r name what; do printf '  make %-11s %s\n' "$$name" "$$what"; done

demo: ## orders, mails and an export run as jobs, on a throw-away Postgres
	@$(WITHPG)
	go run ./cmd/worker demo $(ARGS)

bench: ## measure the queue on a throw-away Postgres, or on DATABASE_URL: ARGS="drain --jobs 100000"
	@$(WITHPG)
	go run ./cmd/rowlock bench $(or $(ARGS),drain)

bench-peers: ## compare with River, graphile-worker, pg-boss, asynq and Sidekiq: ARGS="--only rowlock,river"
	@$(WITHPG)
	cd bench && go run . $(ARGS)

bench-all: ## make all figures of docs/benchmarks.md, in 45 minutes: ARGS="--size quick", "--only drain"
	@$(WITHPG)
	cd bench && go run ./page measure $(ARGS)

bench-page: ## write docs/benchmarks.md anew from the figures that are there
	cd bench && go run ./page

bench-test: ## vet and test bench/, which is a module of its own
	cd bench && go vet ./... && go tool -modfile=../.ci/tools/go.mod staticcheck ./... && \
		go test -short $(ARGS) ./...

test: vet ## run all tests on a real Postgres, which is installed if it is missing
ifeq ($(RACE),)
	@echo 'no C compiler here (or CGO_ENABLED=0): the tests run without -race'
endif
	$(WITHPG) go test $(RACE) -shuffle=on $(ARGS) $(PKG)

vet:
	go vet ./...

lint: vet vuln ## look for what the compiler lets pass: gofumpt, vet, staticcheck, govulncheck
	@unformatted="$$($(TOOL) gofumpt -l .)" || exit; if [ -n "$$unformatted" ]; then \
		printf 'not formatted, run "make fmt":\n%s\n' "$$unformatted"; exit 1; fi
	$(TOOL) staticcheck ./...

# Without the network there is no database of vulnerabilities to compare with.
vuln:
	@out="$$($(TOOL) govulncheck ./... 2>&1)"; code=$$?; \
	case "$$out" in \
	*'fetching vulnerabilities'*) echo 'govulncheck: skipped, its database cannot be reached' ;; \
	*) printf 'govulncheck: %s\n' "$$out"; exit $$code ;; \
	esac

fmt: ## format all Go files
	$(TOOL) gofumpt -w .

build: ## build the programs into bin/, static
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/...

schema: ## write migrations/schema.sql anew, after a new migration
	$(WITHPG) go test ./migrations -run Schema -update

up: ## start Postgres, Mailpit and a worker in Docker
	docker compose up --detach --build --wait

down: ## stop what "up" started and remove its data
	docker compose down --volumes

clean: ## remove what was built
	rm -rf bin
