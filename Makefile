.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(VENV)/ready: pyproject.toml requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/ready  ## the virtual environment in .venv, with the sluice command in it

run: setup  ## everything in one process on storage under var/: sends a few uplinks through itself, then serves
	$(BIN)/sluice run --demo

test: setup  ## every test that this machine can run; the summary says what could not
	$(BIN)/python -m pytest

check: setup  ## lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup  ## write the tables of docs/operations.md anew from the code
	$(BIN)/python -m docs.tables

# Measured on the interpreter that people run it on: a distribution's, like the image's, is built with profile-guided
# optimisation, and one that somebody compiled is perhaps not, which costs a third.
BENCH_PYTHON ?= $(shell /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo /usr/bin/python3 || echo $(PYTHON))
MEASURED := build/bench/python/bin

build/bench/ready: pyproject.toml requirements/dev.txt bench/peers/package.json bench/peers/requirements.in | setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv venv --quiet --clear --seed --python $(BENCH_PYTHON) build/bench/python
	$(MEASURED)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(MEASURED)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[bench]'
	$(BIN)/uv venv --quiet --clear --seed --python $(BENCH_PYTHON) build/peers/python
	build/peers/python/bin/python -m pip install --quiet --disable-pip-version-check -r bench/peers/requirements.in
	mkdir -p build/peers/node
	cp bench/peers/package.json build/peers/node/
	npm install --prefix build/peers/node --no-package-lock --no-audit --no-fund --silent
	@touch $@

peers: build/bench/ready  ## what the measurements need beside Sluice: plots, and the peers under build/peers

screenshots: setup  ## every page of the console at both widths and in both themes, under build/screenshots; needs Chromium
	SCREENSHOTS=build/screenshots $(BIN)/python -m pytest -q tests/system/test_console_browser.py

pictures: setup  ## the three pictures of the README, under docs/img; needs Chromium
	PICTURES=docs/img $(BIN)/python -m pytest -q tests/system/test_console_pictures.py

bench: build/bench/ready  ## measure Sluice beside its peers and write docs/performance.md; needs wrk, Node.js, valgrind and a RabbitMQ
	$(MEASURED)/python -m bench

bench-console: build/bench/ready  ## measure what the console's live inspector costs ingest and worker; twenty-five minutes
	$(MEASURED)/python -m bench console

bench-long: build/bench/ready  ## a backlog of 1,000,000 uplinks, and the memory over 2,000,000; takes twenty minutes, or an hour where the disk is slow
	$(MEASURED)/python -m bench long

faults: setup  ## break everything under load and count what arrives; needs a Docker engine, takes an hour or two
	$(BIN)/python -m pytest tests/faults; status=$$?; $(BIN)/python -m bench.reliability; exit $$status

pin: $(VENV)/ready  ## write the pinned requirements anew from the ranges in pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make pin" --extra traces pyproject.toml -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make pin" --extra dev pyproject.toml -o requirements/dev.txt

clean:  ## remove what setup, the tests and the runs left
	rm -rf $(VENV) var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help setup run test check docs screenshots pictures peers bench bench-console bench-long faults pin clean
