# Two commands set everything up on a machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The peers of the benchmarks stay out of the environment that tests run in.
BENCH := .venv-bench
LOCKED := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes
EDITABLE := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

.PHONY: help demo test check lint types floors format lock wheel clean bench bench-inbound bench-stack bench-telemetry mutation

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## Run the shop behind Envoy, kill a replica under load, restart another service.
	@$(BIN)/python examples/demo.py

test: $(VENV)/.dev  ## Run every test, three at a time: most of them wait.
	@$(BIN)/python -m pytest -n 3

check: lint types floors test  ## Everything that CI checks, but the wheel.

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

floors: $(VENV)/.dev
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## Format the code and mend what ruff can.
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

wheel: $(VENV)/.dev  ## Build the wheel into dist/.
	@rm -rf dist && $(BIN)/python -m hatchling build --target wheel

lock:  ## Resolve the locks anew (needs uv on the path).
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra all --group dev --output-file requirements/dev.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra all --group demo --constraint requirements/dev.lock --output-file requirements/demo.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra all --group bench --constraint requirements/dev.lock --output-file requirements/bench.lock

bench: $(BENCH)/.done  ## Measure calls that leave beside what others use for the same jobs.
	@$(BENCH)/bin/python bench/outbound.py
	@$(BENCH)/bin/python bench/balance.py
	@$(BENCH)/bin/python bench/http_clients.py
	@$(BENCH)/bin/python bench/stores.py

bench-stack: $(BENCH)/.done  ## Measure what the wrapper costs FastAPI, Starlette and Flask, in real servers.
	@$(BENCH)/bin/python bench/stack.py --peers
	@$(BENCH)/bin/python bench/stack.py --peers --server uvicorn --frameworks fastapi,starlette

bench-telemetry: $(BENCH)/.done  ## Measure lines, metrics, spans, and what a collector that fails costs.
	@$(BENCH)/bin/python bench/logs.py
	@$(BENCH)/bin/python -m bench.metrics
	@$(BENCH)/bin/python bench/traces.py
	@$(BENCH)/bin/python bench/collectors.py
	@$(BENCH)/bin/python bench/local_view.py
	@$(BENCH)/bin/python bench/replica_lines.py

bench-inbound: $(BENCH)/.done  ## Measure overload, probes and rate limits; take half an hour and touch nothing.
	@$(BENCH)/bin/python bench/overload.py
	@$(BENCH)/bin/python -m bench.health
	@$(BENCH)/bin/python bench/inbound_limits.py
	@$(BENCH)/bin/python bench/rate_limits.py
	@$(BENCH)/bin/python -m bench.store_outages

mutation: $(BENCH)/.done  ## Tell how much the tests would notice, by small changes of what was committed.
	@$(BENCH)/bin/python -m bench.mutation

clean:  ## Remove what was built, the environment included.
	rm -rf $(VENV) $(BENCH) dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "mainstay needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11")'
	@$(PYTHON) -m venv $(VENV) || { echo "could not make $(VENV): is the venv module of $(PYTHON) installed?"; exit 1; }

$(VENV)/.demo: requirements/demo.lock pyproject.toml | $(BIN)/python
	@echo "installing what the demo needs into $(VENV) (once) ..."
	@$(LOCKED) --requirement requirements/demo.lock
	@$(EDITABLE)
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	@echo "installing what the tests need into $(VENV) (once) ..."
	@$(LOCKED) --requirement requirements/dev.lock
	@$(EDITABLE)
	@touch $(VENV)/.demo $@

$(BENCH)/.done: requirements/bench.lock pyproject.toml | $(BIN)/python
	@echo "installing what others use for the same jobs into $(BENCH) (once) ..."
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/bench.lock
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
