# 'make demo' and 'make test' work in a fresh clone with nothing but Python 3.11+ and make.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed

# One thread per test process: two of them share the machine, and models gain little from more.
TEST_ENV := OMP_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help venv lock demo up check test test-quick test-acceptance coverage proof lint format bench chaos clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## Create the virtual environment and install everything into it (PYTHON=python3)

# constraints.txt pins every package, so that each run of CI, today's and next month's, has the same.
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Chorus needs Python 3.11 or later: make PYTHON=python3.11")'
	@test -x $(BIN)/python || { echo "Making $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Chorus and what it needs (several GB, some minutes the first time) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[models,melo,openvoice,embedded,test,dev]'
	@touch $@

# Not after venv: where pyproject.toml and constraints.txt contradict each other, nothing can be installed.
lock: ## Update constraints.txt after a change of pyproject.toml (ARGS=--upgrade for newer releases)
	@test -x $(BIN)/uv || { echo "uv is missing: make venv"; exit 1; }
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate --quiet --no-emit-package pip --output-file constraints.txt $(ARGS)

demo: $(STAMP) ## Synthesize a few sentences on a temporary stack, and transcribe them
	$(BIN)/python -m cli.main demo $(ARGS)

up: $(STAMP) ## Run all of Chorus on this machine until Ctrl-C
	@exec $(BIN)/python -m cli.main up $(ARGS)

check: lint ## Before a push: lint, and the unit tests
	$(TEST_ENV) $(BIN)/python -m pytest tests/unit -m "not proof" -n 2 --dist loadfile -q $(ARGS)

test: test-quick test-acceptance ## Run all tests

test-quick: $(STAMP) ## Run the unit and integration tests
	$(TEST_ENV) $(BIN)/python -m pytest tests/unit tests/integration -m "not proof" -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

# Whole stacks: those that bound no time narrowly three at once, since they wait as long as they work; all others alone.
test-acceptance: $(STAMP) ## Run the acceptance tests: real processes, real signals
ifeq ($(ARGS),)
	$(TEST_ENV) $(BIN)/python -m pytest tests/acceptance -m "patient and not alone and not proof" -n 3 --dist loadfile --no-loadscope-reorder
	$(TEST_ENV) $(BIN)/python -m pytest tests/acceptance -m "(not patient or alone) and not proof"
else
	$(TEST_ENV) $(BIN)/python -m pytest $(ARGS)
endif

coverage: $(STAMP) ## Run the unit and integration tests, and list uncovered lines
	$(TEST_ENV) $(BIN)/python -m pytest tests/unit tests/integration -m "not proof" -n 2 --dist loadfile --no-loadscope-reorder -q --cov --cov-report=term-missing $(ARGS)

proof: $(STAMP) ## Run the long forms of tests that `make test` runs in short (over an hour)
	$(TEST_ENV) $(BIN)/python -m pytest tests -m proof $(ARGS)

lint: $(STAMP) ## Check style, types, docker-compose.yml, Dockerfile and known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/docker-compose -f docker-compose.yml config -q
	$(BIN)/docker-compose -f docker-compose.yml --profile gpu config -q
	$(BIN)/docker-compose --env-file .env.example -f docker-compose.yml --profile gpu config -q
	$(BIN)/hadolint Dockerfile
	$(BIN)/python -m tests.audit

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Run a benchmark
	$(BIN)/python -m benchmarks $(ARGS)

chaos: $(STAMP) ## Kill workers, Redis and storage under load for some minutes, and check that nothing is lost
	@$(BIN)/python -m tests.chaos --memory 5000; grown=$$?; $(BIN)/python -m tests.chaos $(ARGS) && exit $$grown

clean: ## Remove caches; keeps .venv and .chorus
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
