# Verbs of this repository. `make demo` and `make test` need nothing but git, make and either
# some Python 3 with pip or uv; they install what they need into .venv.

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
# `make install PYTHON=3.12` and `make test PYTHON=3.12` use an environment for local runs
# with that CPython; without PYTHON it is 3.10, which has distributed runs as well.
PYTHON := 3.10
ifeq ($(PYTHON),3.10)
VENV := .venv
LOCKED := requirements.lock
OVERRIDE := --override overrides.txt
else
VENV := .venv-$(PYTHON)
LOCKED := requirements-local.lock
endif
# The shims of pyenv answer only for the versions that `pyenv global` chose.
INTERPRETER = $(or $(lastword $(sort $(wildcard $(HOME)/.pyenv/versions/$(PYTHON).*/bin/python))),$(PYTHON))
PYTEST := $(VENV)/bin/python -m pytest
WORKERS = $(shell cores=$$(nproc); echo $$(( cores < 4 ? cores + 1 : 4 )))
SOURCES := munchausen.py agents environments launch experiments tests docs
LIBPYTHON := libpython3.10.so.1.0
DEMO := train mdqn/boxing-demo --launch processes --steps 24000 --runs runs/demo
LOCK := $(UV) pip compile setup.cfg --extra dev --generate-hashes

export UV_HTTP_TIMEOUT ?= 300

.DEFAULT_GOAL := help
.PHONY: help install libpython cuda12 wandb optuna cluster language demo bench test test-local has-python test-slow test-all format lint type check \
	structure docs notebook wheel lock clean

help:
	@echo 'make demo     install, then train M-DQN on ALE Boxing as a distributed program'
	@echo 'make test     install, then the quick tests; test-slow: the others; test-all: both'
	@echo 'make bench    measure speed and memory next to their limits, into bench.json'
	@echo 'make structure  count import circles, long functions and the files that a run opens'
	@echo 'make docs     build the documentation into site/; notebook: execute it again first'
	@echo 'make wheel    build a wheel and a source distribution into dist/'
	@echo 'make cuda12   install JAX for NVIDIA GPUs too; make wandb; make optuna: for sweeps'
	@echo 'make cluster  install Ray for runs on several machines; see docs/cluster.md'
	@echo 'make language  install readers of pretrained language models'
	@echo 'PYTHON=3.12   with install, test and others: local runs on CPython 3.11, 3.12 or 3.13'
	@echo 'make check    lint, type and test; also: format lint type install lock clean'

install: $(VENV)/.installed

.venv/.installed: $(LOCKED) requirements.in setup.cfg pyproject.toml .python-version | $(UV)
	test -x .venv/bin/python || $(UV) venv --quiet --python 3.10 .venv
	$(UV) pip sync --quiet --python .venv --compile-bytecode --require-hashes $(LOCKED)
	$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@.venv/bin/python -c 'import courier' 2>/dev/null || $(MAKE) --no-print-directory libpython
	@touch $@

.venv-%/.installed: $(LOCKED) requirements.in setup.cfg pyproject.toml | $(UV)
	test -x $(VENV)/bin/python || $(UV) venv --quiet --python $(INTERPRETER) $(VENV)
	$(UV) pip sync --quiet --python $(VENV) --compile-bytecode --require-hashes $(LOCKED)
	$(UV) pip install --quiet --python $(VENV) --no-deps --editable .
	@touch $@

# Courier and Reverb are linked to libpython. The Pythons that uv and conda bring have it,
# but where no loader looks; those two look in their own folders first.
libpython:
	@library="$$(.venv/bin/python -c 'import sys; print(sys.base_prefix)')/lib/$(LIBPYTHON)"; \
	test -e "$$library" || { echo "$$library is missing, so nothing can run through Launchpad:" \
		"make clean install UV_PYTHON_PREFERENCE=only-managed" >&2; exit 0; }; \
	for folder in courier/python reverb; do \
		ln -sfv "$$library" .venv/lib/python3.10/site-packages/$$folder; done

# What only some need: JAX for NVIDIA GPUs, Weights & Biases, Optuna for sweeps, Ray, and
# readers of pretrained language models.
cuda12 wandb optuna cluster language: install
	$(UV) pip install --quiet --python $(VENV) --constraint $(LOCKED) $(OVERRIDE) \
		--editable '.[$@]'

.uv/bin/uv:
	python3 -m venv .uv || (cd / && python3 -m venv '$(CURDIR)/.uv') || { rm -rf .uv; \
		echo 'python3 -m venv failed: install the package python3-venv, or uv' >&2; exit 1; }
	.uv/bin/python -m pip install --quiet uv==$(UV_VERSION)

demo: install
	rm -rf runs/demo
	.venv/bin/munchausen $(DEMO)
	.venv/bin/munchausen report runs/demo --output runs/demo/report.html --picture runs/demo/curve.png
	@echo 'the report: file://$(CURDIR)/runs/demo/report.html'

bench: install
	.venv/bin/munchausen bench --output bench.json

# A file's tests stay together: they share what it set up. One worker more than there
# are cores, since some tests wait. The quick tests compile more than they compute, so
# XLA compiles them without LLVM's optimisations; the slow ones run as users' programs do.
test: install
	XLA_FLAGS=--xla_backend_optimization_level=0 \
		$(PYTEST) -m 'not slow' --numprocesses $(WORKERS) --dist loadfile

# Whether uv finds that CPython here, without a download.
has-python: | $(UV)
	@$(UV) python find --no-python-downloads $(INTERPRETER) >/dev/null 2>&1

# What a newer Python must do, in a fraction of the time: agents, environments, runs in one
# thread, datasets, run directories, reports.
LOCAL_TESTS := tests/agents/parts tests/agents/tabular tests/agents/test_agents.py tests/agents/test_mdqn.py \
	tests/environments tests/launch/datasets tests/launch/policies tests/launch/runs \
	tests/launch/engines/test_one_thread.py tests/launch/engines/test_one_thread_resumed.py \
	tests/launch/engines/test_one_thread_offline.py tests/launch/test_surroundings.py \
	tests/experiments/reporting tests/experiments/verbs/test_doctor.py

test-local: install
	XLA_FLAGS=--xla_backend_optimization_level=0 \
		$(PYTEST) -m 'not slow' --numprocesses $(WORKERS) --dist loadfile $(LOCAL_TESTS)

test-slow: install
	$(PYTEST) -m slow --timeout 3600

test-all: test test-slow

format: install
	.venv/bin/ruff check --quiet --fix $(SOURCES)
	.venv/bin/ruff format $(SOURCES)

lint: install
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/lint-imports

type: install
	.venv/bin/mypy

check: lint type test

structure: install
	.venv/bin/python -m tests.structure

# Any warning fails. The variable silences an announcement of MkDocs 2, which we do not use.
docs: install
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --quiet --strict
	@echo 'the documentation: file://$(CURDIR)/site/index.html'

# Replaces the outputs in docs/catch.ipynb; commit them.
notebook: install
	.venv/bin/jupyter nbconvert --to notebook --execute --inplace docs/catch.ipynb

wheel: | $(UV)
	$(UV) build --quiet --out-dir dist

lock: | $(UV)
	$(LOCK) --output-file requirements.lock --override overrides.txt \
		--python-version 3.10 --python-platform x86_64-manylinux_2_28 \
		--custom-compile-command 'make lock, with overrides.txt: protobuf 3.20.3, for Ray, although TensorFlow declares less'
	$(LOCK) --output-file requirements-local.lock --python-version 3.11 --universal \
		--custom-compile-command 'make lock: local runs on CPython 3.11 to 3.13'

clean:
	rm -rf .venv .venv-* .uv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
