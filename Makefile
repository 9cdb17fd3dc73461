# Nine words and a demonstration. Everything runs from .venv, which `install` makes from requirements.lock.
.PHONY: install test check fmt sim paths up down bench demo
.DEFAULT_GOAL := help

BIN := .venv/bin
SEEDS ?= 2000
ROWS ?= 100000
PAIRS ?= 100000
SEED ?= 1

help:
	@echo 'install  make .venv; says what this machine lacks'
	@echo 'demo     run AWS'"'"'s Distributed Map tutorial on a stack of its own: ROWS=$(ROWS)'
	@echo 'up down  start and stop the local stack'
	@echo 'test     check, then the simulator and every test beside each other'
	@echo 'check    formatting, linting, types, import contracts, docstrings of tests'
	@echo 'fmt      format, and mend what can be mended'
	@echo 'sim      the seeded simulator: SEEDS=$(SEEDS)'
	@echo 'paths    compare generated JSONPaths with JsonPath 2.0.0, which AWS uses: PAIRS=$(PAIRS) SEED=$(SEED)'
	@echo 'bench    throughput and latency on a stack of its own'

install:
	@ops/install

test: check
	@ops/test $(SEEDS) $(PYTEST_ARGS)

check: install
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/interrogate --quiet tests

fmt: install
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

sim: install
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

paths: install
	$(BIN)/python -m tests.property.jsonpath --pairs $(PAIRS) --seed $(SEED)

up: install
	@$(BIN)/maprun up

down: install
	@$(BIN)/maprun down

bench: install
	$(BIN)/python -m tests.bench.maprun $(BENCH_ARGS)

demo: install
	@ops/demo $(ROWS)
