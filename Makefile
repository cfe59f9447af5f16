# Everything a contributor or newcomer runs. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The locked tools come first: `node`, `npm` and `npx` are the ones of the lock file, whatever the system has.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(VENV)/.locked: requirements.lock
	@echo "Installing the locked Python packages into $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; set PYTHON=python3.x")'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: install
install: $(VENV)/.locked ## Install the locked packages into .venv and node_modules

COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --quiet --custom-compile-command "make lock"

.PHONY: lock
lock: ## Update the lock files: for the checkout, the image, its build and the audit
	$(COMPILE) --upgrade pyproject.toml --extra generator --group dev --output-file requirements.lock
	$(COMPILE) --constraints requirements.lock pyproject.toml --output-file requirements-reporter.lock
	$(COMPILE) --constraints requirements.lock --group build --output-file requirements-build.lock
	$(COMPILE) --upgrade --group audit --output-file requirements-audit.lock

.PHONY: lint
lint: install ## Check formatting, lint, strict types, import rules, wording, the Dockerfile and shell scripts
	ruff format --check .
	ruff check .
	mypy
	lint-imports
	python -m tools.wording
	hadolint Dockerfile
	shellcheck .ci/run .github/scripts/*.sh

# --- The generator: Kubernetes manifests of Rescan ---

export CDK8S_CHECK_UPGRADE := false

install: node_modules/.locked

node_modules/.locked: package.json package-lock.json $(VENV)/.locked
	@echo "Installing the locked cdk8s command into node_modules ..."
	@npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: synth
synth: install ## Synthesize dist/ and its map of settings, the drift jobs in docs/ and the examples' golden trees; accepts the changes that the snapshot tests found
	cdk8s synth
	python main.py --settings-map
	python -m tests.rescan.golden
	python -m rescan.drift_job docs

.PHONY: settings
settings: install ## Write docs/settings.md: every setting, and the manifests that it changes
	python -m tests.rescan.settings_page

.PHONY: check
check: install ## Check the settings of every environment; writes nothing
	python main.py --check

.PHONY: imports
imports: install ## Generate the typed classes in imports/ from the CRDs in rescan/crds/
	rm -rf imports
	cdk8s import --save=false

.PHONY: committed
committed: ## Fail if synthesized or imported files differ from what is committed, new files included
	@changed="$$(git status --porcelain -- dist dist.settings.json docs/drift-job*.yaml imports tests/rescan/golden)"; if [ -n "$$changed" ]; then \
	  echo "these files differ from what the code generates; run \`make synth imports\` and commit:"; echo "$$changed"; \
	  git --no-pager diff -- dist dist.settings.json docs/drift-job*.yaml imports tests/rescan/golden; exit 1; fi

.PHONY: judges
judges: install ## Compare what kube-score and checkov find in the manifests with docs/judges.md
	PATH="$$(dirname "$$(uv tool run --from checkov==3.3.30 which checkov)"):$$PATH" pytest tests/judges

.PHONY: restores
restores: install ## Back up and restore with the real aws command and an S3 server
	S3=1 PATH="$$(dirname "$$(uv tool run --from awscli==1.46.3 --with 'moto[server]==5.2.5' which aws)"):$$PATH" \
	  pytest tests/rescan/test_backup_scripts.py

.PHONY: workflows
workflows: install ## Check the GitHub Actions workflows and the action
	zizmor --offline --quiet .github action.yml
	GOFLAGS=-mod=readonly go -C tools/workflows tool actionlint "$(CURDIR)"/.github/workflows/*.yml

# --- Both programs ---

.PHONY: demo
demo: install synth ## Synthesize, sync to a sandbox cluster, edit by hand, report
	@python -m tools.demo

.PHONY: reference
reference: install ## Write the command-line reference
	python -m tools.reference

# Each pytest process starts its own sandbox cluster (about 500 MB).
PARALLEL := --numprocesses=2 --dist=worksteal

.PHONY: test
test: install ## Run all tests; the first run builds the sandbox cluster (about five minutes)
	pytest $(PARALLEL)

.PHONY: test-fast
test-fast: install ## Run the fast tests: no API server, a tenth of the generator's property test and no other
	TENTH=1 pytest $(PARALLEL) --quiet -m "not sandbox and not slow and (not hypothesis or tenth)"

VERSION ?= v1.27.16
TESTS ?= -m sandbox

.PHONY: test-server
test-server: install ## Run TESTS (-m sandbox) against the API server of VERSION (v1.27.16), which is built once
	python -m tools.sandbox.servers $(VERSION) -- pytest $(TESTS)

.PHONY: test-flux
test-flux: install ## Compare with Flux's own kustomize-controller; the first run builds it (five minutes)
	pytest tests/drift/sources/real_flux.py

FUZZ_SECONDS ?= 60

.PHONY: fuzz
fuzz: install ## Fuzz the reporter for FUZZ_SECONDS (60), guided by coverage
	python -m tests.fuzz --seconds $(FUZZ_SECONDS)

AUDIT := .venv-audit

$(AUDIT)/.locked: requirements-audit.lock
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

.PHONY: audit
audit: install $(AUDIT)/.locked ## Check the locked packages for known vulnerabilities; says so if no database can be reached
	PATH="$$PATH:$(CURDIR)/$(AUDIT)/bin" python -m tools.audit

.PHONY: sbom
sbom: install $(AUDIT)/.locked ## Write CycloneDX bills of materials for the locked packages to build/
	@mkdir -p build
	$(AUDIT)/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	  --short-PURLs --output-reproducible --validate --output-file build/sbom-python.cdx.json
	$(AUDIT)/bin/python -W ignore -m cyclonedx_py requirements requirements-reporter.lock --pyproject pyproject.toml \
	  --short-PURLs --output-reproducible --validate --output-file build/sbom-reporter.cdx.json
	npm sbom --package-lock-only --sbom-format cyclonedx --loglevel=error > build/sbom-node.cdx.json

.PHONY: browser
browser: ## Install Debian's Chromium if possible; the HTML report's tests skip without it
	@if command -v chromium > /dev/null && command -v chromedriver > /dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
	  apt-get update --quiet=2 && apt-get install --quiet=2 --yes --no-install-recommends chromium chromium-driver \
	  || echo "chromium could not be installed; the tests that need it skip"; \
	else echo "chromium and chromedriver are missing; the tests that need them skip"; fi

.PHONY: screenshots
screenshots: install ## Take the README's screenshots
	python -m tools.screenshot

.PHONY: bench
bench: install ## Measure the figures in docs/speed.md
	python -m benchmarks.start
	python -m benchmarks.reading
	python -m benchmarks.large_object
	python -m benchmarks.synth
	python -m benchmarks.audit_log
	python -m benchmarks.sources

.PHONY: bench-main
bench-main: install ## Measure the main figures in about eight minutes, each beside its floor
	python -m benchmarks.start
	python -m benchmarks.large_object --sizes 20000
	python -m benchmarks.fleets --sizes 10000 --syncing server-side --kubectl-up-to 0 --no-write
	python -m benchmarks.watching

SOAK_SECONDS ?= 600

.PHONY: soak
soak: install ## Run `drift watch` amid failures for SOAK_SECONDS (600); fails if it misses an event or grows
	python -m benchmarks.soak --seconds $(SOAK_SECONDS)

.PHONY: sandbox
sandbox: install ## Start a sandbox cluster and keep it up until Ctrl-C
	@python -m tools.sandbox
