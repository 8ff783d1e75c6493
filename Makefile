# Needs Python 3.11 or newer and make; everything else is fetched into this folder.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
# Used where there is no uv on the PATH; the version that wrote uv.lock.
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready
HOME_FOLDER := $(or $(MIGRATION_HOME),.migration)

.PHONY: help setup migrate test test-slow dev check bench stop clean

help: ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install what is locked in uv.lock into .venv (every other target does this itself)

# One recipe, one stamp: a second call, or a parallel one, finds it and does nothing.
$(READY): pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V 2>&1 || echo missing). Install it, or: make PYTHON=python3.12" >&2; exit 1; }
	@uv=$$(command -v uv || true); \
	if [ -z "$$uv" ]; then \
	  uv=.uv/bin/uv; \
	  [ -x $$uv ] || { \
	    $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	      echo "$(PYTHON) lacks venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
	    $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION); } || exit 1; \
	fi; \
	$$uv sync --frozen --no-progress --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $@

migrate: $(READY) ## Migrate Skynet: sample export, run, reconciliation report
	@set -- $(HOME_FOLDER)/landing/skynet/*; [ -e "$$1" ] || $(BIN)/migrate sample
	@$(BIN)/migrate run skynet --yes
	@$(BIN)/migrate report

test: $(READY) ## Run the tests, without the slow ones and the browser
	$(BIN)/pytest -n auto -m "not slow and not browser"

test-slow: $(READY) ## Run the slow tests and those in a real browser
	$(BIN)/pytest -m "slow or browser"

dev: $(READY) ## Run Dagster's UI on http://127.0.0.1:3000 with daemon and sensors
	@$(BIN)/migrate dev

check: $(READY) ## Lint, format, types, and whether all code locations load
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/dagster definitions validate -w workspace.yaml

bench: $(READY) ## Measure loading, rerun, memory and start-up
	$(BIN)/python -m bench

stop: ## Stop the embedded PostgreSQL server
	@[ ! -x $(BIN)/migrate ] || $(BIN)/migrate stop

clean: stop ## Stop the server; delete the environment, the caches and ALL data in .migration
	rm -rf .migration .venv .uv .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
