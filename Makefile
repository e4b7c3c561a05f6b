PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LESSON ?= 00_start_here
LAB_FLAGS ?=
IMAGES ?=
SIZE ?=
MODEL ?=
PORT ?=
CHOSEN = $(if $(MODEL),--model "$(MODEL)") $(if $(PORT),--port $(PORT))
DECKS = slides/node_modules/.ready
INSTALL = $(if $(shell command -v uv),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install)
NEWS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}

.PHONY: help setup lab app serve test test-solutions test-qdrant lint notebooks slides slides-pdf clean

help: ## this list
	@echo "Lookalike: finding images that look alike. What to type:"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18 | sed 's/^/  make /'

lab: $(VENV)/.course ## open the course in JupyterLab (sets itself up the first time)
	$(BIN)/jupyter lab --LabApp.extension_manager=readonly $(LAB_FLAGS) notebooks/$(LESSON).ipynb

app: $(VENV)/.course ## open the search app on its own page; on your pictures: make app IMAGES=path
	$(BIN)/python -m utils.app $(if $(IMAGES),"$(IMAGES)") $(if $(SIZE),--size $(SIZE)) $(CHOSEN)

test: $(VENV)/.dev $(DECKS) lint ## check everything: style, types, generated files, code, every notebook
	$(BIN)/python -m tools.build --check
	$(BIN)/python -m pytest

test-solutions: $(VENV)/.dev $(DECKS) ## run every solved notebook, and look at the slides at 1920×1080 too
	$(BIN)/python -m pytest -m "solutions or wide"

test-qdrant: $(VENV)/.dev ## run the index tests against the Qdrant server at QDRANT_URL
	@test -n "$$QDRANT_URL" || { echo "Say where the server is: make test-qdrant QDRANT_URL=http://localhost:6333"; exit 1; }
	$(BIN)/python -m pytest tests/test_index_contract.py -k qdrant

lint: $(VENV)/.dev ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

notebooks: $(VENV)/.dev ## make notebooks/ and the README's numbers anew from lessons/ and results/
	$(BIN)/python -m tools.build

slides: $(VENV)/.course $(DECKS) ## show every deck on this machine: speaker notes with S; after the first time no network
	$(BIN)/python -m tools.slides --serve

slides-pdf: $(VENV)/.dev $(DECKS) ## print every deck into slides/pdf/ (needs Chromium)
	$(BIN)/python -m tools.slides --pdf

serve: $(VENV)/.course ## search from a page and over HTTP; IMAGES=path for your own folder
	$(BIN)/python -m service $(if $(IMAGES),--images "$(IMAGES)") $(CHOSEN)

setup: $(VENV)/.course ## install the course into .venv and nothing else

clean: ## remove the installation and everything cached, but no gallery of the service
	rm -rf $(VENV) slides/node_modules slides/build slides/pdf data/cache .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

$(VENV)/.course: pyproject.toml
	@echo "Setting up in $(VENV): a few minutes and about 6 GB the first time (see README for less)."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lookalike needs Python 3.11 or newer, and $(PYTHON) is older; try: make PYTHON=python3.11 lab")'
	if command -v uv >/dev/null; then uv venv --quiet --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV); \
	else $(PYTHON) -m venv $(VENV); fi
	$(INSTALL) --quiet --editable ".[lab,serve]"
	mkdir -p $(VENV)/share/jupyter/lab/settings
	@echo '$(NEWS)' > $(VENV)/share/jupyter/lab/settings/overrides.json
	@echo "Warming up for a minute: the first import of some packages is slow, the next ones are not."
	$(BIN)/python -c "import cv2, faiss, matplotlib.font_manager, qdrant_client, rembg, skimage, sklearn, torch, torchvision, transformers, umap"
	@touch $@

$(VENV)/.dev: $(VENV)/.course
	$(INSTALL) --quiet --editable ".[dev]"
	@touch $@

# What the decks need comes from npm once; a machine without Node gets it from PyPI.
$(DECKS): slides/package.json | $(VENV)/.course
	command -v npm >/dev/null || $(INSTALL) --quiet --editable ".[slides]"
	cd slides && PATH="$$PATH:$(abspath $(BIN))" npm install --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@
