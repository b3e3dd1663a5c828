# Works from a fresh clone with python3 and make. `make PYTHON=/path/to/python3.12 ...` chooses the Python.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
SETUP := $(or $(PYTHON),python3) tools/bootstrap.py

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv:
	@$(SETUP)

.PHONY: demo
demo: venv ## fill a local warehouse with a simulated market, under a real Airflow
	@$(BIN)/python tools/demo.py

.PHONY: up
up: venv ## start the local database and Airflow
	@$(BIN)/krxw up

.PHONY: down
down: venv ## stop them; the data stays
	@$(BIN)/krxw down

.PHONY: status
status: venv ## what runs, where, and how much disk it takes
	@$(BIN)/krxw status

.PHONY: test
test: venv ## all tests, on servers of their own
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

.PHONY: lint
lint: venv ## style, types, and which package may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: bench
bench: venv ## measure loading and storage on this machine
	@$(BIN)/python -m benchmarks

.PHONY: lock
lock: venv ## resolve requirements.in again into requirements.txt
	@$(SETUP) lock

.PHONY: clean
clean: ## stop the platform and remove all local data and .venv
	@if [ -x $(BIN)/krxw ]; then $(BIN)/krxw down --remove-data; fi
	@rm -rf .venv .krxw .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
