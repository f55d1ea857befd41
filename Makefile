# A fresh machine needs make and Python 3.11 or newer; everything else comes by set-up.
PYTHON ?= $(firstword $(foreach v,python3.11 python3.12 python3.13 python3.14 python3 python,$(shell command -v $(v) 2>/dev/null)))
BIN := .venv/bin
SETUP = $(PYTHON) deploy/setup.py
TEST_ENV = ITSM_DATA_DIR="$(CURDIR)/.data-test" ITSM_EMBEDDED_DURABLE=0
# Two workers keep a laptop usable; set PYTEST_WORKERS=auto on a larger machine.
PYTEST_WORKERS ?= 2
SOURCES = $(wildcard itsm spine incidents problems changes catalog knowledge cmdb risks feedback \
	practice intake servicenow notify portal demo)

.DEFAULT_GOAL := help
LOCK = $(BIN)/uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url
.PHONY: lock help demo setup dev test lint faults bench screenshots upgrade-check python

help:
	@echo "make demo   run the platform with demo data        make test   every test"
	@echo "make lint   format, types, layers, translations    make faults kill-and-recover tests"
	@echo "make bench  benchmarks    make screenshots  pictures    make upgrade-check  old releases"

python:
	@command -v "$(PYTHON)" >/dev/null || { echo "error: no Python found ($(PYTHON)): install Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $$($(PYTHON) -V 2>&1) is too old, 3.11 or newer is needed: install it and run make PYTHON=/path/to/python3.11." >&2; exit 1; }

demo: python
	@exec $(SETUP) demo

setup: python
	@$(SETUP) env

dev: python
	@$(SETUP) dev

test: dev
	@$(SETUP) browser
	@$(TEST_ENV) $(BIN)/pytest -n $(PYTEST_WORKERS) $(ARGS)

lint: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	$(TEST_ENV) $(BIN)/python manage.py makemigrations --check --dry-run
	$(TEST_ENV) $(BIN)/python manage.py messages check

# Names versions and hashes, and no address: it installs from whatever index the machine uses.
lock:
	$(LOCK) --all-extras pyproject.toml -o requirements-dev.lock
	$(LOCK) -c requirements-dev.lock pyproject.toml -o requirements.lock

faults: dev
	@$(TEST_ENV) $(BIN)/pytest -n 0 -m faults tests/faults $(ARGS)

bench: dev
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: dev
	@$(SETUP) browser
	@$(BIN)/python manage.py screenshots $(ARGS)

upgrade-check: dev
	@$(TEST_ENV) $(BIN)/python manage.py upgrade_check $(ARGS)
