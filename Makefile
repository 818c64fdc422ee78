SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help tools test check nemesis

# The tools' absolute paths, as environment of one recipe line (.ci/tools writes the file).
WITH_TOOLS := set -a; . target/tools/env; set +a; TIMEFORMAT='== %R s'; time

# Wants the machine for itself, so it comes after the others.
NEMESIS := cargo test --locked -p samtal-tests --test suite -- --ignored --nocapture nemesis

help: ## List the targets.
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

tools: ## Find or install PostgreSQL, Redis, NATS, buf, Helm and Chromium (target/tools).
	@.ci/tools

test: tools ## Everything: build, all tests on real servers, contracts, chart and compose file.
	@rm -rf target/test-logs
	$(WITH_TOOLS) cargo build --workspace --bins --locked
	$(WITH_TOOLS) cargo test --workspace --locked
	$(WITH_TOOLS) $(NEMESIS)
	$(WITH_TOOLS) .ci/contracts
	$(WITH_TOOLS) "$$SAMTAL_TOOL_PYTHON" tests/chart/run.py

check: ## Quick, needs no servers: formatting, clippy, tests of the pure crates.
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo test --locked -p samtal-kernel -p samtal-screening -p samtal-region

nemesis: tools ## The same tests in their long forms (SAMTAL_LONG=1): more seeds, more faults, an hour of the nemesis.
	@rm -rf target/test-logs
	$(WITH_TOOLS) cargo build --workspace --bins --locked
	$(WITH_TOOLS) env SAMTAL_LONG=1 cargo test --workspace --locked
	$(WITH_TOOLS) env SAMTAL_LONG=1 $(NEMESIS)
