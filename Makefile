# The workshop's commands; `make` alone explains them. Python 3.11 or newer, make and the package
# registries are all that is needed: everything else is installed below .venv/ and ~/.cache/.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DATA := .runhistory
PORT ?= 8780
LEARNING_RATE ?= 0.02
TESTS ?=
FIGURES ?=
KILLS ?= 210
JOBS ?= 3

# Where this is set, each of the hundreds of processes of a test run compiles its modules anew, which
# is a third of a stack's start. What pip installs is compiled once.
unexport PYTHONDONTWRITEBYTECODE

STUDIO := services/studio
PAGES := services/runhistory/gateway/pages
STUDIO_INSTALLED := $(STUDIO)/node_modules/.installed
STUDIO_SOURCES := $(shell find $(STUDIO) -name node_modules -prune -o -name dist -prune -o -type f -print)
# Node comes from PyPI with everything else, so it is the same one everywhere.
NPM := cd $(STUDIO) && PATH="$(abspath $(BIN)):$$PATH" npm --loglevel=error

.PHONY: help run stop setup studio studio-dev test faults lint format bench bench-peers screenshots lock \
	schemas wheel chromium

help:  ## show this
	@echo "runhistory: an event-sourced Run History for machine learning"
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: setup studio  ## start Kafka, ClickHouse and the services, and train the example on them (PORT=8780)
	@$(BIN)/runhistory status --data $(DATA) > /dev/null 2>&1 \
		|| $(BIN)/runhistory up --detach --data $(DATA) --port $(PORT)
	@$(BIN)/runhistory submit examples/digits --script train.py --experiment digits --follow \
		-- --learning-rate $(LEARNING_RATE)

stop:  ## stop what `make run` started; its data stay in .runhistory/
	@if [ -x $(BIN)/runhistory ]; then $(BIN)/runhistory down --data $(DATA); \
		else echo "Nothing is installed here, so nothing was started."; fi

setup: $(INSTALLED)  ## install everything, as locked, into .venv/

studio: $(PAGES)/index.html  ## build the web pages into the package

studio-dev: studio  ## work on the web pages: served anew at each change, beside `make run`
	@RUNHISTORY_URL=http://127.0.0.1:$(PORT) $(NPM) run dev

test: setup studio chromium  ## run all tests (TESTS=tests/unit for some, JOBS=1 one by one)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile \
		--no-loadscope-reorder $(TESTS)

faults: setup  ## kill everything, again and again, for long: none lost, none twice (KILLS=210)
	@RUNHISTORY_FAULTS_FULL=1 RUNHISTORY_FAULT_KILLS=$(KILLS) \
		$(BIN)/python -m pytest --capture=no tests/faults

bench: setup studio chromium  ## measure stacks of its own: tables, and bench/results/*.json
	@$(BIN)/python -m bench.run_history
	@$(BIN)/python -m bench.ingest
	@$(BIN)/python -m bench.studio

bench-peers: setup  ## the same work for MLflow, FastTrackML, Aim and Trackio: README's table
	@$(BIN)/python -m bench.peers

screenshots: setup studio chromium  ## take the pictures of docs/images/ anew
	@$(BIN)/python -m docs.screenshots

lint: setup $(STUDIO_INSTALLED)  ## ruff, mypy, the import rule; prettier, eslint and svelte-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_imports.py
	$(NPM) run lint

format: setup $(STUDIO_INSTALLED)  ## let ruff, prettier and eslint put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(NPM) run format

schemas: setup $(STUDIO_INSTALLED)  ## write anew what is generated: parts of schemas/, the studio's client
	$(BIN)/python -m runhistory.events.schemas
	$(BIN)/python -m runhistory.gateway.openapi
	$(BIN)/python -m runhistory.kafka.asyncapi
	$(NPM) run schema

lock: setup  ## choose the newest dependencies that fit, and write down their digests
	$(BIN)/uv pip compile pyproject.toml --extra local --group dev $(COMPILE) \
		--output-file requirements/all.txt
	grep -E '^uv==' requirements/all.txt | cut -d' ' -f1 \
		| $(BIN)/uv pip compile - $(COMPILE) --output-file requirements/uv.txt
	for peer in bench/peers/requirements/*.in; do \
		$(BIN)/uv pip compile $$peer $(COMPILE) --output-file $${peer%.in}.txt; done
	$(BIN)/python -m runhistory.stack.kafka_jars
	$(NPM) update

wheel: setup studio  ## build the wheel into dist/
	$(BIN)/uv build --wheel --no-build-isolation --python $(BIN)/python

# The browser tests drive Debian's Chromium: who may install it has it now, others are told how.
chromium:
	@command -v chromium chromium-browser google-chrome > /dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
			echo "Installing Chromium for the browser tests"; \
			apt-get update -qq && apt-get install -qq -y chromium > /dev/null; \
		else echo "There is no Chromium: the browser tests need it (apt-get install chromium)."; fi; }

COMPILE := --universal --python-version 3.11 --upgrade --generate-hashes --quiet \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

$(INSTALLED): requirements/all.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and $(PYTHON) is older or missing."; \
		echo "Say which to take: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "This Python cannot make virtual environments (Debian and Ubuntu leave that out)."; \
		echo "Install it: apt-get install python3-venv"; exit 1; }
	@[ -x $(BIN)/python ] || { echo "Making $(VENV)/"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing the locked dependencies into $(VENV)/ (some minutes the first time)"
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(BIN)/python -m ensurepip > /dev/null
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		--only-binary :all: -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/all.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(STUDIO_INSTALLED): $(STUDIO)/package-lock.json $(STUDIO)/.npmrc | $(INSTALLED)
	@echo "Installing what builds the studio into $(STUDIO)/node_modules/"
	@$(NPM) ci
	@touch $@

# Built beside and moved in whole: a gateway that is running serves the old pages until then.
$(PAGES)/index.html: $(STUDIO_SOURCES) schemas/openapi.json | $(INSTALLED) $(STUDIO_INSTALLED)
	@echo "Building the studio"
	@$(NPM) run --silent schema > /dev/null
	@$(NPM) run --silent build -- --logLevel warn
	@rm -rf $(PAGES) && mv $(STUDIO)/dist $(PAGES)
