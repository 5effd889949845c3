# Two commands do all the set-up on a machine with Python 3.11+, git and make.
PYTHON ?= python3
BIN := .venv/bin
PACK := ffhq-mobile

.PHONY: demo test coverage trust docs wheel clean

# Without the network the pull fails in one line, and the demo shows children of the embedded backbone.
demo: .venv/demo
	@$(BIN)/kinblend models pull $(PACK) --quiet > /dev/null || echo "$(PACK) could not be pulled: the demo goes on without it"
	$(BIN)/kinblend demo --out demo

test: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pip check
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal

coverage: .venv/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist worksteal --cov --cov-report term:skip-covered

# Hostile files, kills, broken plugins, load: about ten minutes on two cores. The table goes into SECURITY.md.
# pip-audit asks the network for known faults of what is installed; where it gets no answer, the rest goes on.
trust: .venv/trust
	$(BIN)/bandit --quiet --severity-level medium --recursive kinblend plugins
	-$(BIN)/pip-audit --skip-editable --progress-spinner off
	$(BIN)/python tests/fuzz/run.py --write SECURITY.md

# The site: open site/index.html.
docs: .venv/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

# A wheel, checked, installed into an environment of its own, and used from a folder without the checkout.
wheel: .venv/wheel
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python tests/wheel.py dist/*.whl

# torch==2.13.0 is the version the recorded outputs were made with; any torch in pyproject's range works.
.venv/base:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check "torch==2.13.0"
	touch $@

.venv/demo: .venv/base pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[demo]"
	touch $@

.venv/dev: .venv/base pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

.venv/docs: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev,docs]"
	touch $@

.venv/wheel: .venv/base pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[demo,wheel]"
	touch $@

.venv/trust: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev,trust]"
	touch $@

clean:
	rm -rf .venv demo site dist
