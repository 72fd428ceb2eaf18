# Everything a developer runs. `make help` lists it.

GO        ?= go
BIN       := bin/lateral
# What the binary calls itself; git may be missing.
REVISION  := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)
FUZZTIME  ?= 30s
# Processes that fuzz at once.
FUZZERS   ?= 2
# Tests with a real Odoo share one machine: packages run one after the other, so that two cores do,
# and the first run installs and prepares Odoo.
TIMEOUT   ?= 60m
PARALLEL  ?= 1
UNIT      = $$($(GO) list ./... | grep -v /integration)

GOFUMPT     := mvdan.cc/gofumpt@v0.12.0
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

.DEFAULT_GOAL := help
.PHONY: help build demo verify soak bench bench-quick test test/unit test/race test/integration lint fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z\/]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/lateral
	$(GO) build -trimpath -ldflags '-X main.revision=$(REVISION)' -o $(BIN) ./cmd/lateral

demo: build ## bring up a real Odoo with demo data, serve it, and read a sale order (stays up on a terminal)
	$(BIN) demo $(ARGS)

# Reads that make verify compares, of each version and seed.
READS ?= 20000

verify: ## compare READS reads of Odoo 19.0 and 14.0 as six users, with a fixed seed and with a fresh one
	LATERAL_VERIFY_READS=$(READS) $(GO) test -count=1 -v -timeout 24h -run '^TestVerify$$' ./integration
	LATERAL_VERIFY_READS=$(READS) LATERAL_VERIFY_SEED=fresh $(GO) test -count=1 -v -timeout 24h -run '^TestVerify$$' ./integration

# Reads and writes of make soak, of each version.
SOAK_READS  ?= 100000
SOAK_WRITES ?= 2000

soak: ## read SOAK_READS times beside SOAK_WRITES writes, on Odoo 19.0 and then 14.0, and check the history
	LATERAL_SOAK_READS=$(SOAK_READS) LATERAL_SOAK_WRITES=$(SOAK_WRITES) $(GO) test -count=1 -v -parallel 1 -timeout 24h -run '^TestSoak' ./integration

bench: build ## measure lateral beside Odoo and PostgreSQL itself, about 22 minutes (bench.json, bench.html)
	$(BIN) bench $(ARGS)

bench-quick: build ## the same in less than 3 minutes, with less certainty
	$(BIN) bench --orders 10000 --partners 4000 --rounds 1 --duration 1s --clients 2,8 --long=false $(ARGS)

test: ## run all tests, those with a real PostgreSQL and Odoo included, with the race detector
	@$(GO) test -race -run '^$$' ./... >/dev/null # builds with all cores what is then run package by package
	$(GO) test -race -count=1 -p $(PARALLEL) -timeout $(TIMEOUT) ./...

test/unit: ## run the tests that need nothing but Go
	$(GO) test -timeout 5m $(UNIT)

test/race: ## the same with the race detector
	$(GO) test -race -timeout 10m $(UNIT)

test/integration: ## run the tests that need a real PostgreSQL and Odoo
	$(GO) test -count=1 -p $(PARALLEL) -timeout $(TIMEOUT) ./integration/...

lint: ## vet, format check and staticcheck
	$(GO) vet ./...
	@unformatted=$$($(GO) run $(GOFUMPT) -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted (gofumpt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) run $(STATICCHECK) ./...

fuzz: ## fuzz every fuzz target for FUZZTIME each
	@set -e; for package in $(UNIT); do \
		dir=$$($(GO) list -f '{{.Dir}}' $$package); \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' $$dir/*_test.go 2>/dev/null); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s -parallel $(FUZZERS) $$package; \
		done; done

clean: ## remove what was built
	rm -rf bin
