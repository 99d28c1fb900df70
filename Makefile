# A bare `make` lists the targets.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export LANGSMITH_TRACING := false
export LANGGRAPH_CLI_NO_ANALYTICS := 1

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(STAMP): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

.PHONY: venv
venv: $(STAMP) ## create .venv and install everything pinned

.PHONY: demo
demo: $(STAMP) ## the main job, live, on examples/orders
	$(BIN)/midas-devops demo

.PHONY: test
test: $(STAMP) ## the test-suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" $(PYTEST_OPTIONS)

.PHONY: test-slow
test-slow: $(STAMP) ## suites that take minutes: Kubernetes, AWS on moto, every engine, more kill moments
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/slow.txt
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

.PHONY: tools
tools: ## build OpenTofu, a Kubernetes without machines and pipeline linters that tests use, cached
	.ci/build-tools
	.ci/build-kubernetes
	.ci/fetch-validators

.PHONY: coverage
coverage: ## the test-suite with branch coverage
	$(MAKE) test PYTEST_OPTIONS="--cov --cov-report=term:skip-covered"

.PHONY: lint
lint: $(STAMP) ## ruff, mypy, import contracts, dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

.PHONY: bench
bench: $(STAMP) ## the measured tables, as ratios to the raw tools
	$(BIN)/python benchmarks/run.py

.PHONY: goldens
goldens: $(STAMP) ## rewrite the golden files after a change that was meant
	MIDAS_UPDATE_GOLDENS=1 $(BIN)/python -m pytest tests/goldens

.PHONY: studio
studio: $(STAMP) ## serve the graphs to LangGraph Studio on 127.0.0.1:2024
	MIDAS_PROJECT=$${MIDAS_PROJECT:-examples/orders} $(BIN)/langgraph dev --no-browser

.PHONY: lock
lock: ## pin every dependency again, with hashes and without addresses (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --group dev --extra postgres --extra pipelines --extra policies --extra jenkins pyproject.toml -o requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header requirements/slow.in -c requirements/dev.txt -o requirements/slow.txt

.PHONY: clean
clean: ## remove everything that was made
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .langgraph_api midas-demo dist build
