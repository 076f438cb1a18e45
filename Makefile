# Two commands matter: `make run` and `make test`. The rest are their parts.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
UV := .tools/uv/bin/uv
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
# How much of their examples property tests try: more in `make test`, ten times all in the soak.
export TIDEGATE_TEST_EFFORT ?= 0.1
# Bytecode is kept, whatever the environment says: without it every run compiles all anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.tools/uv/installed: requirements/bootstrap.txt
	@tools/bootstrap.sh "$(PYTHON)"

.venv/server.installed: .tools/uv/installed requirements/server.lock pyproject.toml
	@tools/install.sh requirements/server.lock
	@touch $@

.venv/dev.installed: .venv/server.installed requirements/dev.lock
	@tools/install.sh requirements/dev.lock
	@touch $@

.PHONY: setup
setup: .venv/server.installed ## Install the server into .venv at locked versions

.PHONY: run
run: setup ## Start Tidegate on 127.0.0.1:4180
	@exec $(BIN)/tidegate serve $(ARGS)

.PHONY: format
format: .venv/dev.installed ## Rewrite the sources in the house format
	$(BIN)/ruff format src tests tools
	$(BIN)/ruff check --fix src tests tools

.PHONY: check
check: .venv/dev.installed ## Format, lint, types, contracts, sizes, fast tests (about a minute)
	@$(MAKE) --no-print-directory --output-sync=target -j 2 static fast-tests

.PHONY: static
static: .venv/dev.installed
	$(BIN)/ruff format --check src tests tools
	$(BIN)/ruff check src tests tools
	$(BIN)/python tools/check_sizes.py
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy src tools

.PHONY: fast-tests
fast-tests: .venv/dev.installed
	$(BIN)/pytest tests/unit tests/property tests/golden tests/port tests/upgrade tests/fuzz -m "not slow" -n 2 --dist worksteal

.PHONY: agents
agents: .venv/dev.installed ## Install the pinned coding agents that the wire tests run
	@tools/install_agents.sh

# On two cores beside browsers and agents a deadline may pass: what failed is tried once more, by itself,
# and stays in the output.
again = || { echo "Once more what failed:"; $(1) --last-failed --last-failed-no-failures none; }
SLOW := $(BIN)/pytest tests/unit tests/property tests/golden tests/port tests/upgrade -m "slow and not soak"
WIRE := $(BIN)/pytest tests/wire -m "not soak"
BROWSER := $(BIN)/pytest tests/browser -m "not soak"

.PHONY: test
test: export TIDEGATE_TEST_EFFORT = 0.3
test: .venv/dev.installed ## Everything: check, then the wire and browser tests
	@$(MAKE) --no-print-directory --output-sync=target -j 3 static fast-tests agents
	@tools/install_chromium.sh
	@$(MAKE) --no-print-directory --output-sync=target -j 2 types slow-tests
	$(BIN)/python -m tests.fuzz --seconds 3
	$(WIRE) -n 2 --dist loadfile $(call again,$(WIRE))
	$(BROWSER) -n 2 --dist loadfile $(call again,$(BROWSER))

.PHONY: types
types: .venv/dev.installed
	$(BIN)/mypy

.PHONY: slow-tests
slow-tests: .venv/dev.installed
	$(SLOW) -n 2 --dist worksteal $(call again,$(SLOW))

.PHONY: soak
soak: agents ## The long forms of the tests, full counts
	$(BIN)/pytest tests -m soak
	TIDEGATE_TEST_EFFORT=10 $(BIN)/pytest tests/property --timeout 1800
	TIDEGATE_TEST_EFFORT=1 $(BIN)/pytest tests/unit/console/api_v1/test_schemathesis.py

.PHONY: fuzz
fuzz: .venv/dev.installed ## Fuzz parsers and readers, ARGS="--seconds 600 TARGET"
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: bench
bench: .venv/dev.installed ## Measure CPU per request beside nginx and LiteLLM, and the Team page; writes docs/benchmarks.md
	$(BIN)/python -m tests.bench --write $(ARGS)

.PHONY: lock
lock: .tools/uv/installed ## Resolve the lock files anew
	@tools/lock.sh

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
