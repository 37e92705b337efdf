# Everything here works from a fresh clone: the first target that needs the environment makes it.
PYTHON   ?= python3
VENV     ?= .venv
PROCESSES ?= auto
ARGS     ?=
PORT     ?= 8000
JOBS     ?= 300 2000

BIN   := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help demo docs docs-serve test e2e control-plane cluster-up cluster-down images images-lock sbom chart check install-check dist verify generate bench bench-load format changelog clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## score a million taxi rows in an S3 bucket of its own, and prove the result
	$(BIN)/python examples/01-taxi-tips/demo.py $(ARGS)

test: control-plane ## all tests (ARGS='-k cuts' for some of them)
	$(BIN)/python -m pytest -n $(PROCESSES) $(ARGS)

e2e: cluster-up ## tests on a real Kubernetes (half an hour; make cluster-down ends the cluster)
	$(BIN)/python -m pytest --cluster -n $(PROCESSES) --dist loadfile tests/e2e $(ARGS)

control-plane: $(READY) ## the API server and etcd that tests talk to (needs Go; 10 to 20 minutes the first time)
	$(BIN)/python -m tests.cluster parts

cluster-up: $(READY) ## a Kubernetes cluster for end-to-end tests, by kind (10 minutes the first time; then ARGS=--cluster)
	$(BIN)/python -m tests.cluster up

cluster-down: $(READY) ## end that cluster; caches stay
	$(BIN)/python -m tests.cluster down

# BUILD='buildah build' or another builder; IMAGES=runner for one of them; ARGS='--build-arg BASE=…' for another base.
BUILD    ?= docker build
IMAGES   ?= runner operator
VERSION   = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' src/scoremill/version.py)
REVISION  = $(shell git rev-parse HEAD)

images: ## build the images: of driver, scheduler and workers, and of the operator
	for image in $(IMAGES); do \
	    $(BUILD) $(ARGS) --file images/$$image/Dockerfile --tag ghcr.io/scoremill/$$image:$(VERSION) \
	        --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) . || exit 1; \
	done

LOCK = UV_CUSTOM_COMPILE_COMMAND="make images-lock" $(BIN)/uv pip compile --quiet --upgrade --universal \
       --python-version 3.11 --generate-hashes --no-annotate

# The asynchronous twin of the Kubernetes client needs them; the operator's image has no such twin.
ASYNCHRONOUS = aiohttp aiohttp-retry aiohappyeyeballs aiosignal attrs frozenlist multidict propcache yarl

EXTRAS = --extra s3 --extra gcs --extra kubernetes --extra skops

images-lock: $(READY) ## pin the newest libraries for the images
	$(LOCK) --no-emit-package kubernetes-asyncio --no-emit-package pykube-ng $(EXTRAS) \
	    -o images/runner/requirements.lock pyproject.toml
	$(LOCK) $(ASYNCHRONOUS:%=--no-emit-package %) --constraint images/runner/requirements.lock -o images/operator/requirements.lock images/operator/requirements.in
	echo 'hatchling>=1.26' | $(LOCK) -o images/runner/build.lock -

SBOM = $(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --output-reproducible

sbom: $(READY) ## write the libraries of the images as CycloneDX into dist
	mkdir -p dist
	for image in $(IMAGES); do $(SBOM) --output-file dist/$$image.cdx.json images/$$image/requirements.lock || exit 1; done

chart: $(READY) ## put dask-kubernetes' chart into helm/scoremill/charts, and test ours (needs Go)
	$(BIN)/python helm/vendor.py
	$(BIN)/python -m pytest tests/chart $(ARGS)

check: $(READY) ## style, types, layers, generated files, words, the documentation site, and that no file holds a credential
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry --no-ansi .
	$(BIN)/python docs/generate.py --check
	$(BIN)/python helm/generate.py --check
	$(BIN)/python docs/words.py
	$(MAKE) --no-print-directory docs
	.ci/secrets

docs: $(READY) ## build the documentation site into build/docs; every warning is an error
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees docs build/docs

docs-serve: docs ## serve that site at http://localhost:8000 (PORT=8001 for another port)
	$(BIN)/python -m http.server --directory build/docs $(PORT)

install-check: ## resolve every extra with the pip of this Python (needs the network; a minute)
	$(PYTHON) -m venv --clear .install-check
	.install-check/bin/python -m pip install --dry-run --quiet --disable-pip-version-check '.[all]'
	rm -rf .install-check

dist: ## build the sdist, build the wheel from it, then install and run that wheel (needs the network; a minute)
	rm -rf dist
	$(PYTHON) -m venv --clear .install-check
	.install-check/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement images/runner/build.lock
	.install-check/bin/python -m hatchling build --target sdist --directory dist
	.install-check/bin/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz
	.install-check/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd .install-check && bin/scoremill --version && bin/scoremill doctor
	rm -rf .install-check

verify: generate ## regenerate what is generated; fails where that changes the tree
	git diff --exit-code -- docs helm

generate: $(READY) ## write the generated files: CLI reference, job reference, JSON schema, the chart's README and schema
	$(BIN)/python docs/generate.py
	$(BIN)/python helm/generate.py

bench: $(READY) ## speed and memory next to a bare loop and dask.dataframe (ARGS='--rows 1000000' for less), then bench-load
	$(BIN)/python benchmarks/run.py $(ARGS)
	$(BIN)/python benchmarks/load.py --jobs $(JOBS)

bench-load: $(READY) ## the operator under load, 300 and 2,000 jobs at the same time (JOBS=300 for less; needs Go, and no cluster)
	$(BIN)/python benchmarks/load.py --jobs $(JOBS) $(ARGS)

format: $(READY) ## put the code in its form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

changelog: $(READY) ## what the next release notes will say
	$(BIN)/towncrier build --draft

clean: ## remove what was built, the environment included
	rm -rf $(VENV) dist build demo .pytest_cache .ruff_cache .mypy_cache .hypothesis

# uv installs in a fifth of the time of pip, which is used if uv is not available.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "scoremill needs Python 3.11 or later: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	    { rm -rf $(VENV); echo "Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv || true
	@if test -x $(BIN)/uv; then VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --compile-bytecode --editable '.[dev]'; \
	    else $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'; fi
	@touch $@
