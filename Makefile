# Every target may be repeated, says what it does, and sets up what it needs by itself.
# `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
LOCKED := $(VENV)/.locked
# Which Python makes the virtual environment; empty: the newest that works.
PYTHON ?=
export PYTHONPATH := operator:.
export PYTHONUNBUFFERED := 1

# How long `make soak` goes on, and options for pytest: make test-unit ARGS='-k waves -x'
SECONDS_OF_SOAK := $(if $(filter command line environment,$(origin SECONDS)),$(SECONDS),600)
ARGS ?=

RINGS_UNIT := tests/unit tests/golden tests/replay tests/fault tests/sim
RINGS_CLUSTER := tests/integration tests/e2e

# Those of the folders that hold tests.
rings = $(foreach ring,$(1),$(if $(wildcard $(ring)/test_*.py $(ring)/*/test_*.py $(ring)/*/*/test_*.py),$(ring)))

.PHONY: help setup lint format test test-unit test-cluster soak bench up demo down kubeconfig image crds lock

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(LOCKED) ## make .venv with the locked tools (quick when nothing changed)
	@:

$(LOCKED): requirements/dev.txt
	@{ \
	  if [ ! -x $(PY) ]; then \
	    for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3 none); do \
	      $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	      [ $$python != $(or $(PYTHON),none) ] || { \
	        echo 'setup: Python 3.11 or newer is needed; on Debian and Ubuntu: apt-get install python3 python3-venv'; \
	        echo '       or name one that you have: make setup PYTHON=…'; exit 1; }; \
	    done; \
	    echo "setup: making $(VENV) with $$($$python --version)"; \
	    $$python -m venv $(VENV) || { rm -rf $(VENV); \
	      echo 'setup: this Python makes no virtual environments; on Debian and Ubuntu: apt-get install python3-venv'; exit 1; }; \
	  fi; \
	  echo 'setup: installing what requirements/dev.txt locks'; \
	  $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt; \
	  touch $@; \
	} >&2

lint: setup ## ruff, mypy (tests, too), the layers, the chart
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$$($(PY) -m tests.cluster tools helm) lint --strict --quiet charts/tidegate

format: setup ## let ruff put everything into shape
	$(VENV)/bin/ruff check --fix-only --quiet
	$(VENV)/bin/ruff format

test: setup ## everything: first without a cluster, then on a real one that it brings up
	$(PY) -m tests.cluster tools helm promtool >/dev/null
	$(PY) -m pytest $(call rings,$(RINGS_UNIT)) $(ARGS)
	$(PY) -m tests.demo up
	$(PY) -m pytest $(or $(call rings,$(RINGS_CLUSTER)),$(RINGS_CLUSTER)) $(ARGS)

test-unit: setup ## what needs no cluster, in under a minute (the simulator only briefly)
	$(PY) -m tests.cluster tools helm promtool >/dev/null
	TIDEGATE_SIM_SECONDS=10 $(PY) -m pytest $(call rings,$(RINGS_UNIT)) $(ARGS)

test-cluster: setup ## integration and end-to-end tests on a real cluster
	$(PY) -m tests.demo up
	$(PY) -m pytest $(or $(call rings,$(RINGS_CLUSTER)),$(RINGS_CLUSTER)) $(ARGS)

soak: setup ## the simulator for SECONDS=600, and properties with examples drawn anew
	TIDEGATE_SIM_SECONDS=$(SECONDS_OF_SOAK) $(PY) -m pytest tests/sim --timeout=0 $(ARGS)
	$(PY) -m pytest tests/unit tests/golden --timeout=0 --hypothesis-profile soak $(ARGS)

bench: setup ## measure makespans against a bare loop, API writes, CPU and memory
	$(PY) -m tests.demo up
	$(PY) -m tests.bench $(ARGS)

up: setup ## a real cluster with the operator installed by its chart
	@$(PY) -m tests.demo up

demo: setup ## the same, then an example Workflow with its live progress
	@$(PY) -m tests.demo

down: setup ## remove the cluster that `make up` made
	@$(PY) -m tests.cluster down

kubeconfig: setup ## print the path of that cluster's kubeconfig
	@$(PY) -m tests.cluster kubeconfig

image: setup ## build the operator's image with whatever engine there is
	@$(PY) -m tests.cluster build-image

crds: setup ## generate the CRD from the models, and the chart's admission policies
	$(PY) -m tidegate.api.crd
	$(PY) -m tidegate.policies.chart

LOCK = $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: setup ## lock the requirements anew (LOCK_ARGS=--upgrade for newer versions)
	$(LOCK) $(LOCK_ARGS) requirements/build.in -o requirements/build.txt
	$(LOCK) $(LOCK_ARGS) pyproject.toml -o requirements/image.txt
	$(LOCK) $(LOCK_ARGS) --extra dev pyproject.toml -o requirements/dev.txt
