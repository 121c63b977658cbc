# Everything is set up as needed, again and again without harm: `make demo` or `make test` on a fresh machine is all.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
SETUP := $(PYTHON) -m setup
# Most tests wait for a real PBX, database or browser: of four processes, each with its own, two
# cores stood still for a quarter of the time.
PYTEST := $(BIN)/pytest -n 5 --dist loadfile --no-loadscope-reorder
# Reads all tests once, so that the five processes find them compiled.
PYTEST_ONCE := $(BIN)/pytest --collect-only -qq > /dev/null
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --python-version 3.11 --universal

# Where it is set, each of the hundreds of processes that tests start would compile all that it reads.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-odoo check bench screenshots setup assets dashboards lock clean

help: ## Tell what can be made
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile | expand -t 14

demo: ## Show the main job alive: a PBX, phones, callers, the service
	@$(SETUP) python assets asterisk whisper
	@exec $(BIN)/switchhook demo $(ARGS)

test: setup ## Run the whole suite; ARGS="tests/pure -k hours" for a part of it
	@exec $(PYTEST) $(ARGS)

test-odoo: setup ## Run what every CRM promises against a real Odoo 19, fetched once (1.6 GB unpacked)
	@$(PYTHON) -m setup.odoo
	@SWITCHHOOK_ODOO=1 SWITCHHOOK_TOLD=$${SWITCHHOOK_TOLD:-100} exec $(BIN)/pytest tests/odoo $(ARGS)

# Types are judged while tests wait; what is said of them comes after what tests say.
check: setup ## What CI runs: format, lint, types, import contracts, tests
	@$(PYTEST_ONCE) & read=$$!; $(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/lint-imports --no-logo; \
	linted=$$?; wait $$read; exit $$linted
	@$(BIN)/mypy > var/types.txt 2>&1 & types=$$!; $(PYTEST) $(ARGS); tests=$$?; \
	wait $$types; types=$$?; cat var/types.txt; exit $$((tests | types))

bench: setup ## Measure what was promised, on this machine
	@exec $(BIN)/python -m benchmarks $(ARGS)

screenshots: ## Make the pictures of docs/images anew, from the demo
	@$(SETUP) python assets asterisk whisper chromium
	@exec $(BIN)/python -m docs.screenshots

setup: ## Fetch and install all that tests need
	@$(SETUP)

assets: ## Fetch the front-end's files
	@$(SETUP) assets

dashboards: setup ## Write the pages of Grafana anew
	@$(BIN)/python -m metrics.dashboards

lock: ## Pin the newest allowed versions of all dependencies, with hashes
	@$(SETUP) python
	$(LOCK) --upgrade pyproject.toml -o requirements/run.txt
	$(LOCK) --upgrade pyproject.toml --extra traces -c requirements/run.txt -o requirements/traces.txt
	$(LOCK) --upgrade pyproject.toml --extra traces --group dev -c requirements/traces.txt -o requirements/dev.txt
	$(LOCK) --upgrade --group build -o requirements/build.txt
	$(LOCK) --upgrade --group bootstrap -o requirements/bootstrap.txt
	$(LOCK) --upgrade requirements/fuzz.in -o requirements/fuzz.txt
	$(LOCK) --no-deps requirements/whisper.in -o requirements/whisper.txt

clean: ## Remove what was made in this checkout; the cache folder outside it stays
	rm -rf .venv build dist var web/static/vendor .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
