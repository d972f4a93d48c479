PYTHON ?= python3
BIN := .venv/bin
BENCHMARKS := $(filter-out peer_service soak,$(notdir $(basename $(wildcard benchmarks/*.py))))

# Hundreds of processes of the tests import the same files, which they need not compile each time.
unexport PYTHONDONTWRITEBYTECODE

# Side by side by file, as the tests of a file share what it sets up; in order, as the longest come
# first. Three keep two cores busy, as tests of servers often wait; four are no faster.
TESTS := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder
# `make test COVERAGE=1` measures branch coverage, in the processes that tests start as well.
MEASURE := $(if $(COVERAGE),--cov --cov-report=term)

.PHONY: milvus-server help run serve index test test-fast lint format bench docs setup

help: ## the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */\1\t/' | expand -t 12

run: index serve ## index CATALOG=feed or folder (by default a sample store) and serve it

serve: setup ## serve what is indexed
	$(BIN)/gunicorn --config service/gunicorn.conf.py service.wsgi:app

index: setup ## index CATALOG, or the sample store if nothing is indexed
ifdef CATALOG
	$(BIN)/python -m indexer add "$(CATALOG)" || [ $$? -eq 3 ] # some rows were rejected
else
	@if $(BIN)/python -m indexer status --json | grep -q '"products": 0,'; then \
		$(BIN)/python -m examples.sample_store sample-catalog && \
		$(BIN)/python -m indexer add sample-catalog/products.csv; \
	fi
endif

test: .venv/dev ## formatting, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(TESTS) $(MEASURE)

test-fast: .venv/dev ## the quick tests: no processes, no TensorFlow
	$(TESTS) --fast -rfE

lint: .venv/dev ## lint and types
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

milvus-server: ## a real Milvus server for the tests, in .venv-milvus
	$(PYTHON) -m venv .venv-milvus
	.venv-milvus/bin/pip install --quiet milvus==2.3.5 setuptools==80.9.0

bench: .venv/dev ## the tables of docs/performance.md
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name || exit 1; done

docs: .venv/dev ## write docs/api.md, docs/cli.md, docs/configuration.md from the code
	$(BIN)/python -m docs.generate

setup: .venv/ready ## a virtual environment in .venv

.venv/ready: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/dev: .venv/ready requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@
