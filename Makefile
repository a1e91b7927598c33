# Every target sets up .venv from pyproject.toml by itself; the second time there is nothing to set up.
# Arguments for the command behind a target go into ARGS: make reproduce ARGS="--engine clear"

PYTHON ?= python3
ARGS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
# Tests of a file stay together, as they share what is expensive to make. Which file comes when is said in tests/conftest.py.
# They start hundreds of processes, which would each compile all of the package where the environment keeps no bytecode.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_DOCS := $(VENV)/.installed-docs
SPHINX = $(BIN)/python -m sphinx --conf-dir docs/site --doctree-dir build/doctrees --fail-on-warning --keep-going --quiet

.DEFAULT_GOAL := help
.PHONY: help reproduce bench costs matrix accuracy faults report test test-fast lint site notebooks links clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

reproduce: $(INSTALLED)  ## the paper's Table 1 and figures, into results/; with CIFAR-10: ARGS="--cifar10 FILE"
	$(BIN)/mpc-tamper reproduce $(ARGS)

bench: $(INSTALLED)  ## time training against NumPy, MP-SPDZ and SPU, into results/bench.*; parts of it: ARGS="--only svm"
	$(BIN)/mpc-tamper bench $(ARGS)

costs: $(INSTALLED)  ## the price of verified and of active training, into results/costs.*
	$(BIN)/mpc-tamper costs $(ARGS)

matrix: $(INSTALLED)  ## every attack against every defence on MNIST, into results/matrix.*
	$(BIN)/mpc-tamper matrix $(ARGS)

accuracy: $(INSTALLED_DEV)  ## the default settings beside LinearSVC, into results/accuracy.*; ARGS="--fashion FOLDER"
	$(BIN)/mpc-tamper accuracy $(ARGS)

faults: $(INSTALLED)  ## ten minutes of random faults against random runs, into results/faults.*
	$(BIN)/mpc-tamper faults $(ARGS)

report: $(INSTALLED)  ## one HTML page of all records in results/, into results/report.html
	$(BIN)/mpc-tamper report $(ARGS)

test: $(INSTALLED_DEV)  ## all tests
	$(PYTEST) $(ARGS)

test-fast: $(INSTALLED_DEV)  ## the tests that take less than two seconds each
	$(PYTEST) -m "not slow and not netns and not mp_spdz" $(ARGS)

lint: $(INSTALLED_DEV)  ## ruff, its formatter, mypy and, where there is one for this platform, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check orchestrator tests docs
	$(BIN)/mypy
	if test -x $(BIN)/hadolint; then $(BIN)/hadolint docker/Dockerfile; fi

site: $(INSTALLED_DOCS)  ## all pages, notebooks and references to read in a browser, into build/site/index.html
	$(SPHINX) --builder html . build/site

notebooks: $(INSTALLED_DOCS)  ## run docs/notebooks/, into build/notebooks/*.ipynb with figures; ARGS="choose_a_protocol"
	$(BIN)/python docs/site/notebooks.py $(ARGS)

links: $(INSTALLED_DOCS)  ## whether the pages' links to other sites still lead somewhere; needs the network
	$(SPHINX) --builder linkcheck . build/links

clean:  ## remove .venv, caches and runs/; results/ and data/ stay
	rm -rf $(VENV) runs build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache *.egg-info
	find orchestrator tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1); say which: make PYTHON=python3.11 ..." >&2; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: expected Python's venv module, got none; install it (Debian, Ubuntu: apt install python3-venv)" >&2; \
	  exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --editable .
	@touch $@

$(INSTALLED_DEV): pyproject.toml $(INSTALLED)
	$(PIP) install --quiet --editable ".[dev]"
	@touch $@

$(INSTALLED_DOCS): pyproject.toml $(INSTALLED)
	$(PIP) install --quiet --editable ".[docs]"
	@touch $@
