# Everything a contributor runs. It needs make and Python 3.11 or later; the rest is installed into .venv, locked.

# The first of these that runs and is new enough; choose another with `make test PYTHON=/path/to/python`.
PYTHON ?= $(shell for python in python3.11 python3 python3.14 python3.13 python3.12 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$python; break; }; done)

PIP = -m pip --disable-pip-version-check --quiet install
READY = .venv/.installed
BENCH_READY = .venv-bench/.installed

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test check bench picture lock clean

help:
	@echo "make demo    rehearse a whole contest on simulated platforms: no account, no network"
	@echo "make test    run the tests, on SQLite and on a real PostgreSQL"
	@echo "make check   what CI runs: format, lint, types, tests"
	@echo "make bench   measure, against the goals in tests/benchmarks"
	@echo "make picture draw the README's picture of the demo anew"
	@echo "make lock    rewrite the locked requirements (LOCK=--upgrade takes newer versions)"
	@echo "make clean   remove the environments and every cache"

demo: $(READY)
	@.venv/bin/harvester demo

test: $(READY)
	@.venv/bin/pytest

check: $(READY)
	@echo "Checking format, lint and types"
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@$(MAKE) test

bench: $(BENCH_READY)
	@.venv-bench/bin/python tests/benchmarks/run.py

picture: $(READY)
	@.venv/bin/python docs/picture.py

need_python = "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "harvester needs Python 3.11 or later: install one, or name it with PYTHON=/path/to/python" >&2; exit 1; }

# The order matters: the benchmark lock takes its versions from the development lock.
lock:
	@$(need_python)
	@echo "Resolving the requirements"
	@$(PYTHON) -m venv .venv-lock && echo '*' > .venv-lock/.gitignore
	@.venv-lock/bin/python $(PIP) uv
	@$(call resolve,.,requirements-dev.txt)
	@$(call resolve,.[bench],requirements-bench.txt,--constraint requirements-dev.txt)

# $(call resolve,what,into,more): for every system and every Python from 3.11, with hashes, the project itself left out.
resolve = echo "-e $1" | .venv-lock/bin/uv --quiet pip compile - --output-file $2 $3 $(LOCK) --group dev --universal \
	--python-version 3.11 --generate-hashes --no-emit-package like-harvester --custom-compile-command "make lock"

clean:
	@rm -rf .venv .venv-bench .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find harvester connectors tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made anew when its lock changes; the project alone is installed again when pyproject.toml does.
%/.locked:
	@$(need_python)
	@echo "Installing $< into $* (once, about a minute)"
	@$(PYTHON) -m venv --clear $* && echo '*' > $*/.gitignore
	@$*/bin/python $(PIP) --require-hashes --requirement $<
	@touch $@

%/.installed: %/.locked pyproject.toml
	@echo "Installing harvester into $*"
	@$*/bin/python $(PIP) --no-deps --editable .
	@touch $@

.venv/.locked: requirements-dev.txt
.venv-bench/.locked: requirements-bench.txt
.PRECIOUS: %/.locked %/.installed
