# Needs Python 3.11 or later, make and the package registry; everything else goes into .venv.
# The stamps in .venv say what is installed there, so a second run installs nothing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Files whose checksums are in a list, which is complete, so that pip need not look for more; then the package itself,
# built with what that list installed: this looks at what each package requires.
CHECKED := $(PIP) --require-hashes --no-deps --requirement
PACKAGE := $(PIP) --constraint constraints.txt --no-build-isolation --editable

# Compiled modules are kept: each process that a test starts would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help stream test test-slow test-all test-oldest test-newest fuzz fuzz-atheris lint docs licences sbom locks schema \
    onnxruntime-web clean
.DELETE_ON_ERROR:

help:
	@echo "make stream   hear the bundled voice (or get blizzard.wav where there is no sound device)"
	@echo "make test     run the tests but the slow ones (installs PyTorch into $(VENV))"
	@echo "make test-all run all tests; make test-slow runs only the slow ones"
	@echo "make fuzz     damage the input of every reader at random: COUNT=1000 inputs each, and by hypothesis as many;"
	@echo "              compare the checks of as many random graphs with onnxruntime"
	@echo "make fuzz-atheris   look for inputs that reach new lines of the readers: SECONDS=60 each, READERS='osc ...'"
	@echo "make test-oldest and make test-newest   run tests with the oldest and the newest versions of what is needed"
	@echo "make lint     ruff, mypy and the import rules"
	@echo "make docs     build the documentation into site/, to be opened at site/index.html"
	@echo "make licences list the licences of all packages that are needed, and check them"
	@echo "make sbom     write sbom.json, a list of the packages that vrnn-engine needs (CycloneDX)"
	@echo "make locks    write locks/ anew from pyproject.toml and constraints.txt"
	@echo "make schema   write docs/voice.schema.json anew"
	@echo "make onnxruntime-web   make the copy of onnxruntime-web in the package anew from npm, and compare checksums"
	@echo "make clean    remove $(VENV) and what tools left behind"

stream: $(VENV)/.stamp-runtime
	$(BIN)/vrnn-engine stream --voice blizzard

# Tests run in one process more than there are cores, as many of them wait; in eight at most, as each needs half a
# gigabyte.
CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
PYTEST := -m pytest --numprocesses $(shell expr $(CORES) + 1) --maxprocesses 8 --dist worksteal

test: $(VENV)/.stamp-dev
	$(BIN)/python $(PYTEST) -m "not slow"

test-slow: $(VENV)/.stamp-dev
	$(BIN)/python $(PYTEST) -m slow

test-all: $(VENV)/.stamp-dev
	$(BIN)/python $(PYTEST)

COUNT ?= 1000
fuzz: $(VENV)/.stamp-dev
	FUZZ_INPUTS=$(COUNT) $(BIN)/python $(PYTEST) --hypothesis-profile=fuzz tests/fuzz
	$(BIN)/python benchmarks/mutations.py --count $(COUNT)
	$(BIN)/python benchmarks/graph_checks.py --count $(COUNT)
	$(BIN)/python benchmarks/graph_checks.py --count $(COUNT) --length 4

# One reader of each kind: manifest, archive, snapshot, timeline, OSC, WebSocket, ink.
READERS ?= manifests voice-archives snapshot-payloads timelines osc session-opening ink-jsonl drawing-svg
SECONDS ?= 60
fuzz-atheris: $(VENV)/.stamp-atheris
	set -e; for reader in $(READERS); do \
	    $(BIN)/python benchmarks/coverage_fuzzing.py $$reader --seconds $(SECONDS); done

# With the newest versions that the registry has, and with the lower bounds in pyproject.toml where they can be
# installed together.  Left out are tests of this repository, and of the tools that it is developed with.
TESTS ?= tests --ignore=tests/project --ignore=tests/benchmarks
test-oldest test-newest: test-%: .venv-%/.stamp
	.venv-$*/bin/python $(PYTEST) -m "not slow" $(TESTS)

lint: $(VENV)/.stamp-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.stamp-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --clean

licences: $(VENV)/.stamp-dev
	$(BIN)/python tools/licences.py --extra train --extra dev

sbom: $(VENV)/.stamp-runtime
	$(BIN)/python tools/sbom.py sbom.json

locks: $(VENV)/.stamp-venv
	@$(PIP) --constraint constraints.txt uv
	$(BIN)/python tools/write_locks.py

schema: $(VENV)/.stamp-dev
	$(BIN)/python tests/project/test_docs.py > docs/.voice.schema.json
	mv docs/.voice.schema.json docs/voice.schema.json

onnxruntime-web: $(VENV)/.stamp-venv
	$(BIN)/python tools/onnxruntime_web.py

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest sbom.json build dist site .pytest_cache .ruff_cache .mypy_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is made last: an interrupted install is done again.
$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: $(PYTHON) is missing or older than 3.11; install Python 3.11 or later, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	    echo "make: $(PYTHON) cannot make a virtual environment (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@touch $@

$(VENV)/.stamp-runtime: pyproject.toml constraints.txt locks/runtime.txt | $(VENV)/.stamp-venv
	@echo "installing vrnn-engine into $(VENV)"
	@$(CHECKED) locks/runtime.txt
	@$(PACKAGE) .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml constraints.txt locks/dev.txt | $(VENV)/.stamp-runtime
	@echo "installing PyTorch and the test tools into $(VENV)"
	@$(CHECKED) locks/dev.txt
	@$(PACKAGE) '.[train,dev]'
	@touch $@

$(VENV)/.stamp-docs: pyproject.toml constraints.txt locks/docs.txt | $(VENV)/.stamp-runtime
	@echo "installing the tools that build the documentation into $(VENV)"
	@$(CHECKED) locks/docs.txt
	@$(PACKAGE) '.[docs]'
	@touch $@

# The lists leave PyTorch out.  PYTORCH names a version: that of a registry may be a build for GPUs, of gigabytes.
PYTORCH ?= torch
.venv-oldest/.stamp: VERSIONS := --constraint locks/oldest.txt
.venv-oldest/.stamp .venv-newest/.stamp: .venv-%/.stamp: pyproject.toml locks/oldest.txt
	$(PYTHON) -m venv --clear .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check $(VERSIONS) '$(PYTORCH)' --editable '.[train,dev]'
	@touch $@

$(VENV)/.stamp-atheris: locks/atheris.txt | $(VENV)/.stamp-dev
	@echo "installing atheris into $(VENV)"
	@$(CHECKED) locks/atheris.txt --only-binary :all:
	@touch $@
