# make demo   the whole job on real pictures, into workspace/demo
# make up     Label Studio and the backend on that workspace, until Ctrl-C
# make test   everything that checks the project
# make test-long   what takes longer: hostile input by the hundred thousand; its counts go to reports/reliability.json
# make bench   how fast it is, peers beside it: docs/performance.md, anew (FULL=1: with large data)
# make screenshots   the pictures in docs/forms, anew
PYTHON ?= python3
PACK ?=
FULL ?=
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv
STUDIO := .venv-label-studio
# of pip's many lines those that show how far it is: the larger downloads, and that it installs
progress = sed -nE \
  -e 's~^ *(Downloading|Using cached) (.*/)?([^/ ]+) \(([0-9.]+ [MG]B)\).*~$(1): \3, \4~p' \
  -e 's~^(Installing collected packages):.* (.+)$$~$(1): installing; the last will be \2~p'

.DEFAULT_GOAL := help
.PHONY: help install demo up test test-studio test-rest test-long bench screenshots format clean

help:
	@sed -n 's/^# make/make/p' Makefile

demo: install
	@$(VENV)/bin/ls-retrieval demo --pack "$(PACK)" || { code=$$?; echo "make demo: ls-retrieval ended with exit code $$code"; exit $$code; }

up: install
	@$(VENV)/bin/ls-retrieval demo --up || { code=$$?; echo "make up: ls-retrieval ended with exit code $$code"; exit $$code; }

install:
	@$(MAKE) --no-print-directory -j2 $(VENV)/.demo $(STUDIO)/.installed

test: install $(VENV)/.dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	@$(MAKE) --no-print-directory -j2 --output-sync=line test-studio test-rest

# the two halves wait for different things: a browser and a server, or the processor
test-studio:
	$(VENV)/bin/pytest -m "(studio or browser) and not long"

test-rest:
	$(VENV)/bin/pytest -m "not studio and not browser and not long"

test-long: install $(VENV)/.dev
	$(VENV)/bin/pytest -m long --reliability reports/reliability.json

bench: install $(VENV)/.dev
	$(VENV)/bin/python bench/all.py $(if $(FULL),--full)

screenshots: install $(VENV)/.dev
	$(VENV)/bin/python docs/screenshots.py

format: $(VENV)/.dev
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(VENV) $(STUDIO) workspace/demo

$(VENV)/.demo: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12"; exit 1; }
	@echo "Installing the tool with torch into $(VENV) (some minutes; up to 7 GB, less with a CPU build of torch)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --upgrade pip
	@$(VENV)/bin/python -m pip install --editable '.[backend,demo]' | $(call progress,$(VENV))
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.demo
	@echo "Installing what the tests need into $(VENV)"
	@$(VENV)/bin/python -m pip install --editable '.[backend,demo,dev]' | $(call progress,$(VENV))
	@# bound to other versions of torch and transformers: only their loaders run, in tests of what they load
	@$(VENV)/bin/python -m pip install --no-deps FlagEmbedding==1.4.2 colpali-engine==0.3.18 open-flamingo==2.0.1 | $(call progress,$(VENV))
	@touch $@

# Label Studio pins much of what the tool needs in other versions: an environment of its own
$(STUDIO)/.installed: Makefile
	@echo "Installing Label Studio into $(STUDIO) (1 GB)"
	@test -x $(STUDIO)/bin/python || $(PYTHON) -m venv $(STUDIO)
	@$(STUDIO)/bin/python -m pip install label-studio==1.23.2 | $(call progress,$(STUDIO))
	@touch $@
