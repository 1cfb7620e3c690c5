# Two commands do everything on a machine with Python >= 3.11, git and make:
#   make run    start the lab country; Ctrl-C stops it
#   make test   lint, types, import contract and all tests
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: run test check pytest fix lock clean help bench-onset bench-probe

help:
	@sed -n '1,3p' Makefile | sed 's/^# //'

run: $(INSTALLED)
	@$(BIN)/blockonset up --lab staggered $(ARGS)

test: check pytest

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Most tests wait for something, so three processes run them, whole files at a time. JOBS=0 runs them in one process.
JOBS ?= 3
pytest: $(INSTALLED)
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

fix: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Blockonset needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Simulated fleets, this model beside its rivals; writes docs/benchmark-onset.md.
bench-onset: $(INSTALLED)
	$(BIN)/python -m infra.bench.onset $(ARGS)

# Every way of interfering, in network namespaces (Linux, root, nftables), and how light a probe is; writes
# docs/methods-matrix.md and docs/probe-light.md.
bench-probe: $(INSTALLED)
	$(BIN)/python -m infra.bench.matrix $(ARGS)
	$(BIN)/python -m infra.bench.weight

# The lock holds names, versions and hashes for every platform, and no host's name.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
	  --no-annotate --no-header pyproject.toml -o requirements.lock

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache dist
