# What a user and CI call. Every target sets up what it needs, below .tools/, and says what it does.
# `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

FILTERS := canary-router flag-headers egress-audit pii-redactor
WASM_TARGET := wasm32-wasip1
# The crates that only make sense inside a proxy; they are checked for its target, and everything else natively.
BENCH_FILTERS := bench-body-copy bench-empty bench-same-calls
WASM_CRATES := filter-host filter-runtime $(FILTERS) $(BENCH_FILTERS)
# The crates without a proxy in sight, which run in Node as well.
CORE_CRATES := canary-core egress-core pii-core
CARGO_TARGET ?= $(or $(CARGO_TARGET_DIR),target)

PORT ?= 8080
ADMIN_PORT ?= 9901
EGRESS_PORT ?= 8081
EGRESS_TLS_PORT ?= 8443
TOOLS_PROFILE := --profile tools
RCCTL = $(CARGO_TARGET)/tools/rcctl

.PHONY: help
help: ## Lists the targets.
	@echo "make TARGET    (FILTER=name, ENVOY_PATH=file, ENVOY_VERSION=x.y.z, FUNC_E=1, UNLEASH=1, PORT=8080)"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: setup
setup: ## Makes sure that wasm can be built; the second call is instant.
	@tools/toolchain.sh

.PHONY: build
build: setup rcctl ## Builds the filters into dist/, and checks their imports.
	@echo "building $(FILTERS) (a minute the first time)"
	@mkdir -p dist
	@# each by itself: built together, what one filter asks of a library would be in all of them
	@for filter in $(FILTERS); do \
		tools/wasm-cargo build --locked --quiet --release --target $(WASM_TARGET) -p $$filter; \
		tools/wasm-opt.sh $(CARGO_TARGET)/$(WASM_TARGET)/release/$${filter//-/_}.wasm dist/$$filter.wasm; \
	done
	@$(RCCTL) module $(FILTERS:%=dist/%.wasm)

.PHONY: rcctl
rcctl:
	@echo "building rcctl (half a minute the first time)"
	@cargo build --locked --quiet $(TOOLS_PROFILE) -p rcctl

.PHONY: run demo
run: build ## Runs a local Envoy with the filters on localhost:8080, shows what they do, and stays up (UNLEASH=1: with a real Unleash).
	@$(MAKE) start-demo
demo: build ## The same, and exits.
	@$(MAKE) start-demo ONCE=--once

.PHONY: start-demo
start-demo:
	@echo "building the demo (half a minute the first time)"
	@cargo build --locked --quiet $(TOOLS_PROFILE) -p demo
	@envoy=$$(tools/envoy.sh); \
	launcher=$${FUNC_E:+--func-e $$(tools/func-e.sh)}; \
	if [ -n "$(UNLEASH)" ]; then \
		UNLEASH_SERVER=$$(tools/unleash-server.sh); POSTGRES_BIN=$$(tools/postgres.sh); \
		export UNLEASH_SERVER POSTGRES_BIN; \
	fi; \
	exec $(CARGO_TARGET)/tools/demo --envoy "$$envoy" $$launcher $(ONCE) $(if $(UNLEASH),--unleash) \
		--port $(PORT) --admin-port $(ADMIN_PORT) --egress-port $(EGRESS_PORT) --egress-tls-port $(EGRESS_TLS_PORT)

.PHONY: test
test: unit wasm-test e2e ## Runs all tests: native, wasm in Node, and in real Envoys of two versions.
	@echo "all tests passed"

.PHONY: unit
unit: ## Native unit and property tests.
	@specification=$$(tools/unleash-specification.sh) && UNLEASH_SPECIFICATION=$$specification \
		cargo test --locked --quiet -p filter-config -p filter-request -p canary-core -p flag-core -p egress-core -p pii-core -p quality -p rcctl

.PHONY: wasm-test
wasm-test: setup ## The cores' tests as wasm32-unknown-unknown, in Node.
	@runner=$$(tools/wasm-bindgen.sh) && node=$$(tools/node.sh) && \
	PATH="$$(dirname "$$node"):$$PATH" CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$$runner \
		tools/wasm-cargo test --locked --target wasm32-unknown-unknown $(addprefix -p ,$(CORE_CRATES))

.PHONY: e2e
e2e: build ## Tests of the built filters in real Envoys: 1.36 and the newest.
	@. tools/versions.env; \
	first=$$(tools/envoy.sh --exact --version "$$ENVOY_VERSION") && \
	newest=$$(tools/envoy.sh --exact --version "$$ENVOY_NEWEST") && \
	specification=$$(tools/unleash-specification.sh) && \
	unleash=$$(tools/unleash-server.sh) && postgres=$$(tools/postgres.sh) && \
	clients=$$(tools/openfeature.sh) && node=$$(NODE_MIN=20 tools/node.sh) && ai_clients=$$(tools/ai-clients.sh) && \
	ENVOY_BINARIES="$${ENVOY_BINARIES:-$$first:$$newest}" UNLEASH_SPECIFICATION=$$specification \
	UNLEASH_SERVER=$$unleash POSTGRES_BIN=$$postgres OPENFEATURE_CLIENTS=$$clients NODE=$$node AI_CLIENTS=$$ai_clients \
		cargo test --locked --quiet --tests -p harness -p e2e

.PHONY: soak
soak: build ## A million events through a real Envoy whose collector is away: memory stays flat (minutes).
	@. tools/versions.env; envoy=$$(tools/envoy.sh --exact --version "$$ENVOY_VERSION") && \
	ENVOY_BINARIES="$$envoy" SOAK_EVENTS=1000000 \
		cargo test --locked --quiet -p e2e --test egress_export memory_is_flat -- --nocapture

.PHONY: test-toolchain
test-toolchain: ## Tests the way to build wasm where rustup can download nothing.
	@tools/test-toolchain.sh

TIME ?= 60
.PHONY: fuzz
fuzz: ## Bytes that nobody sends on purpose, through pii-core (TIME=60: seconds for each target, FUZZ="json events": these).
	@tools/fuzz.sh $(TIME) $(FUZZ)

.PHONY: bench
bench: build ## What the filters cost, side by side in one run.
	@tools/wasm-cargo build --locked --quiet --release --target $(WASM_TARGET) $(addprefix -p ,$(BENCH_FILTERS))
	@cargo build --locked --quiet $(TOOLS_PROFILE) -p bench
	@envoy=$$(tools/envoy.sh) && $(CARGO_TARGET)/tools/bench --envoy "$$envoy" $(BENCH)

.PHONY: bench-quality
bench-quality: ## What pii-redactor's detectors find in a labelled set, and what else, beside Presidio (QUALITY=--ours: alone).
	@echo "building the quality bench (a minute the first time)"
	@cargo build --locked --quiet --release -p quality
	@presidio=$$([ "$(QUALITY)" = --ours ] || tools/presidio.sh) && \
	$(CARGO_TARGET)/release/quality $${presidio:+--presidio "$$presidio" --write tests/quality/RESULTS.md} $(QUALITY)

.PHONY: lint
lint: setup rcctl ## Formatting, clippy natively and for wasm, docs, shell scripts, manifests.
	@cargo fmt --all --check
	@cargo clippy --locked --quiet --workspace --all-targets $(addprefix --exclude ,$(WASM_CRATES)) -- -D warnings
	@tools/wasm-cargo clippy --locked --quiet --target $(WASM_TARGET) $(addprefix -p ,$(WASM_CRATES)) -- -D warnings
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --quiet --workspace --no-deps $(addprefix --exclude ,$(FILTERS) $(BENCH_FILTERS))
	@shellcheck=$$(tools/shellcheck.sh) && $$shellcheck -x tools/*.sh tools/wasm-cargo .ci/run
	@$(RCCTL) lint --strict wasmplugins/*.yaml deploy/local/*.json deploy/egress/components/*/*.json
	@echo "lint passed"

.PHONY: fmt
fmt: ## Formats the code.
	@cargo fmt --all

.PHONY: schema
schema: rcctl ## Writes the JSON Schemas and the READMEs' tables of fields anew.
	@for filter in $(FILTERS); do \
		$(RCCTL) schema $$filter > filters/$$filter/config.schema.json; \
		$(RCCTL) schema $$filter --table > $(CARGO_TARGET)/fields.md; \
		sed -i.bak -e "/<!-- fields -->/,/<!-- end of fields -->/{//!d;}" -e "/<!-- fields -->/r $(CARGO_TARGET)/fields.md" filters/$$filter/README.md; \
		rm filters/$$filter/README.md.bak; \
	done
	@$(RCCTL) schema egress-audit --event > filters/egress-audit/core/event.schema.json

.PHONY: clean
clean: ## Removes what was built and installed here.
	rm -rf target dist .run .tools
