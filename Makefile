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

.PHONY: help run stop setup test faults lint format bench bench-peers lock schemas wheel

help:  ## show this
	@echo "runhistory: an event-sourced Run History for machine learning"
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: setup  ## start Kafka, ClickHouse and the services, and train the example on them (PORT=8780)
	@$(BIN)/runhistory status --data $(DATA) > /dev/null 2>&1 \
		|| $(BIN)/runhistory up --detach --data $(DATA) --port $(PORT)
	@$(BIN)/runhistory submit examples/digits --script train.py --experiment digits --follow \
		-- --learning-rate $(LEARNING_RATE)

stop:  ## stop what `make run` started; its data stay in .runhistory/
	@if [ -x $(BIN)/runhistory ]; then $(BIN)/runhistory down --data $(DATA); \
		else echo "Nothing is installed here, so nothing was started."; fi

setup: $(INSTALLED)  ## install everything, as locked, into .venv/

test: setup  ## run all tests (TESTS=tests/unit for some, JOBS=1 one by one)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile \
		--no-loadscope-reorder $(TESTS)

faults: setup  ## kill everything, again and again, for long: none lost, none twice (KILLS=210)
	@RUNHISTORY_FAULTS_FULL=1 RUNHISTORY_FAULT_KILLS=$(KILLS) \
		$(BIN)/python -m pytest --capture=no tests/faults

bench: setup  ## measure stacks of its own: tables, and bench/results/*.json
	@$(BIN)/python -m bench.run_history
	@$(BIN)/python -m bench.ingest

bench-peers: setup  ## the same work for MLflow, FastTrackML, Aim and Trackio: README's table
	@$(BIN)/python -m bench.peers

lint: setup  ## ruff, mypy and the import rule
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_imports.py

format: setup  ## let ruff put the code in order
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schemas: setup  ## write the generated parts of schemas/ anew
	$(BIN)/python -m runhistory.events.schemas
	$(BIN)/python -m runhistory.gateway.openapi
	$(BIN)/python -m runhistory.kafka.asyncapi

lock: setup  ## choose the newest dependencies that fit, and write down their digests
	$(BIN)/uv pip compile pyproject.toml --extra local --group dev $(COMPILE) \
		--output-file requirements/all.txt
	grep -E '^uv==' requirements/all.txt | cut -d' ' -f1 \
		| $(BIN)/uv pip compile - $(COMPILE) --output-file requirements/uv.txt
	for peer in bench/peers/requirements/*.in; do \
		$(BIN)/uv pip compile $$peer $(COMPILE) --output-file $${peer%.in}.txt; done
	$(BIN)/python -m runhistory.stack.kafka_jars

wheel: setup  ## build the wheel into dist/
	$(BIN)/uv build --wheel --no-build-isolation --python $(BIN)/python

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
