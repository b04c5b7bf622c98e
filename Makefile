# Two commands matter: `make demo` and `make test`. Both build .venv from hashed lock files; python3 and make are enough.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# pytest processes, each with its own PostgreSQL; one more than cores, because many tests wait.
PROCESSES ?= 3
# Container images often forbid Python to keep compiled files. Without them each test process, and there are hundreds, compiles all modules again.
export PYTHONDONTWRITEBYTECODE :=
# Tests on another PostgreSQL than the embedded one, crashes included: make test POSTGRES_BIN=/usr/lib/postgresql/15/bin
ifdef POSTGRES_BIN
export TEST_POSTGRES_BIN := $(POSTGRES_BIN)
endif
CONTRACT := tests/contract
BROWSER := tests/browser
# A separate environment: the versions that the generator pins must not change those of the service.
CONTRACT_VENV := .venv-contract
# What `make test-deploy` runs.
DEBIAN := nginx pgbouncer systemd
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

.PHONY: help demo test test-unit test-integration test-acceptance test-contract test-browser test-deploy need-node test-matrix test-faults test-mutants bench soak lint format openapi schema lock clean

help:            ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is %s" % sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: requirements/demo.lock requirements/build.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/demo.lock -r requirements/build.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock requirements/build.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) --require-hashes -r requirements/dev.lock -r requirements/build.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo   ## everything on this machine: database, sandbox, API, worker, a push with a progress bar (ONCE=1 ends after it)
	@$(BIN)/clay-push demo $(if $(filter 1,$(ONCE)),--once) $(DEMO_ARGS)

test: $(VENV)/.dev    ## lint, types, import rules and all tests on a real PostgreSQL
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal $(PYTEST_ARGS)

LONG := faults or contract or browser or deploy
# These tests have separate commands.
# These have no unit tests, and importing them takes seconds.
NOT_UNIT := tests/test_openapi.py tests/faults tests/browser
test-unit: $(VENV)/.dev ## rung 1, 30 s: the tests that need no PostgreSQL, no socket and no process
	$(BIN)/python -m pytest -m 'unit and not ($(LONG))' $(addprefix --ignore=,$(NOT_UNIT)) $(PYTEST_ARGS)

test-integration: $(VENV)/.dev ## rung 2: the tests that run the code in their own process, on a PostgreSQL
	$(BIN)/python -m pytest -m 'integration and not ($(LONG))' -n $(PROCESSES) --dist worksteal $(PYTEST_ARGS)

test-acceptance: $(VENV)/.dev ## rung 3: the tests that run the service's own processes
	$(BIN)/python -m pytest -m 'acceptance and not ($(LONG))' -n $(PROCESSES) --dist worksteal $(PYTEST_ARGS)

test-matrix: $(VENV)/.dev ## all tests on each combination of NexusLeads' vintage and billing (make test alternates them over the tests)
	@for vintage in 2026-02 today; do for billing in off on; do \
	  echo "== vintage $$vintage, billing $$billing"; \
	  TEST_VINTAGE=$$vintage TEST_BILLING=$$billing $(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal $(PYTEST_ARGS) || exit 1; \
	done; done

test-faults: $(VENV)/.dev ## the whole fault suite, including its long tests: kills, crashes, cuts, outages; prints a table
	$(BIN)/python -m pytest tests/faults tests/test_state_machine.py -m "" --hypothesis-profile random -n $(PROCESSES) --dist worksteal --timeout 600 $(PYTEST_ARGS)

test-mutants: $(VENV)/.dev ## put faults into the code one at a time; the tests must notice at least 95 % (MUTANT_ARGS: --sample 20, --only claim)
	$(BIN)/python -m tests.mutants $(MUTANT_ARGS)
	$(if $(MUTANT_ARGS),,$(BIN)/python -m tests.mutants.pure)

$(CONTRACT_VENV)/.installed: requirements/contract.lock
	$(PYTHON) -m venv $(CONTRACT_VENV)
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(CONTRACT_VENV)/bin/python -m pip install --quiet --require-hashes -r requirements/contract.lock
	@touch $@

$(CONTRACT)/node_modules/.installed: $(CONTRACT)/package-lock.json
	cd $(CONTRACT) && npm ci --no-audit --no-fund
	@touch $@

need-node:
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' && npm --version > /dev/null \
	  || { echo "This needs node 20.19 or newer, and npm."; exit 1; }

test-contract: need-node $(VENV)/.dev $(CONTRACT_VENV)/.installed $(CONTRACT)/node_modules/.installed ## lint openapi.yaml, generate two clients, run them against the service (needs node and npm)
	cd $(CONTRACT) && REDOCLY_TELEMETRY=off npx --no-install redocly lint --config redocly.yaml ../../openapi.yaml
	cd $(CONTRACT) && npx --no-install spectral lint --ruleset spectral.yaml --fail-severity=warn ../../openapi.yaml
	rm -rf $(CONTRACT)/generated
	cd $(CONTRACT) && $(CURDIR)/$(CONTRACT_VENV)/bin/openapi-python-client generate --path ../../openapi.yaml --config openapi-python-client.yaml \
	  --output-path generated/python_client --meta none --fail-on-warning
	cd $(CONTRACT) && MYPYPATH=generated $(CURDIR)/$(CONTRACT_VENV)/bin/mypy --strict --config-file= --explicit-package-bases generated/python_client story.py
	cd $(CONTRACT) && npx --no-install openapi-ts -f openapi-ts.config.mjs && npx --no-install tsc -p .
	$(BIN)/python -m pytest $(CONTRACT) -m contract $(PYTEST_ARGS)

$(BROWSER)/node_modules/.installed: $(BROWSER)/package-lock.json
	cd $(BROWSER) && npm ci --no-audit --no-fund
	@touch $@

test-browser: need-node $(VENV)/.dev $(BROWSER)/node_modules/.installed ## the web console in headless Chromium; screenshots in tests/browser/screenshots (as root, installs Debian's chromium)
	@if ! command -v chromium > /dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > /dev/null; fi
	$(BIN)/python -m pytest $(BROWSER) -m browser $(PYTEST_ARGS)

test-deploy: $(VENV)/.dev ## run the files of deploy/ with nginx, systemd and pgbouncer (as root, installs the Debian packages)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(DEBIAN) > /dev/null; fi
	$(BIN)/python -m pytest tests/deploy -m "" $(PYTEST_ARGS)

lint: $(VENV)/.dev    ## ruff, mypy, import-linter, plain words and sizes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.style

format: $(VENV)/.dev  ## let ruff format and fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev   ## measure the figures of docs/performance.md again; prints tables, writes bench/results/*.json (BENCH_ARGS: some of them)
	$(BIN)/python -m bench $(BENCH_ARGS)

soak: $(VENV)/.dev    ## 20 organizations at their pace, both workers restarted and killed in turn; minutes: SOAK_ARGS=30
	$(BIN)/python -m bench.soak $(SOAK_ARGS)

openapi: $(VENV)/.dev ## write openapi.yaml from the code
	$(BIN)/clay-push openapi > openapi.yaml

schema: $(VENV)/.dev  ## write docs/schema.sql from the migrations
	$(BIN)/python -m tests.support.schema

lock:                 ## write the lock files (needs uv)
	for w in run demo dev; do uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" $$( [ $$w = run ] || echo --extra $$w ) -o requirements/$$w.lock -q || exit 1; done
	uv pip compile requirements/build.in -c requirements/dev.lock --universal --generate-hashes --python-version 3.11 --upgrade \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements/build.lock -q

clean:                ## remove the virtual environment and the demo's data
	rm -rf $(VENV) .data
