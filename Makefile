# Needs Python 3.11 to 3.13 and make; everything else is fetched from PyPI into this folder.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first of these that is new enough is used; or name one: make PYTHON=/opt/python/bin/python3.12
PYTHON := python3 python3.13 python3.12 python3.11
# Installed where there is no uv on the PATH; the version that wrote uv.lock.
UV_VERSION := 0.13.9
BIN := .venv/bin
READY := .venv/.ready
HOME_FOLDER := $(or $(MIGRATION_HOME),.migration)

.PHONY: help setup migrate test test-slow dev check bench stop clean

help: ## List what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Install what is locked in uv.lock into .venv (every other target does this itself)

# One recipe and one stamp: a second call finds it, and `make -j` runs it once. Two calls at the same moment are safe
# too: uv is moved into place in one step, and uv itself locks the environment it writes. Bytecode is compiled once here:
# where PYTHONDONTWRITEBYTECODE is set, as in many containers, each command would otherwise compile for seconds.
$(READY): pyproject.toml uv.lock
	@for python in $(PYTHON) ''; do \
	  [ -z "$$python" ] || ! "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || break; \
	done; \
	[ -n "$$python" ] || { \
	  echo "No Python 3.11, 3.12 or 3.13 found (looked for: $(PYTHON)). Install one, or: make PYTHON=/path/to/python" >&2; exit 1; }; \
	uv=$$(command -v uv) || uv=.uv/bin/uv; \
	if [ ! -x "$$uv" ]; then \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$$python lacks the module venv or ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }; \
	  mkdir -p .uv/bin && part=.uv/part.$$$$ && "$$python" -m venv $$part \
	    && $$part/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) \
	    && mv -f $$part/bin/uv .uv/bin/uv && rm -rf $$part || exit 1; \
	fi; \
	UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=true "$$uv" sync --frozen --no-progress --compile-bytecode --python "$$("$$python" -c 'import sys; print(sys.executable)')"
	@touch $@

migrate: $(READY) ## Migrate all five systems: sample exports, runs, reconciliation reports
	@set -- $(HOME_FOLDER)/landing/*/*; \
	if [ -e "$$1" ]; then :; \
	elif [ -n "$$MIGRATION_LANDING$$MIGRATION_DATABASE_URL" ]; then \
	  echo "No sample is written: MIGRATION_LANDING or MIGRATION_DATABASE_URL is set, and the data may be real." >&2; \
	else $(BIN)/migrate sample; fi
	@$(BIN)/migrate run skynet --yes
	@echo "Two tenants of the Meter sample are meant to stop: 4 at the gate, 5 in the full validation."
	@$(BIN)/migrate run meter --yes || test $$? -eq 1
	@for system in booking billing dental; do $(BIN)/migrate run $$system --yes || exit $$?; done
	@$(BIN)/migrate report || test $$? -eq 1

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
