# The two commands of the README, the linters, and the tests beside those. Everything is installed into
# .venv, once, and again when pyproject.toml changes. Another Python than the first that fits:
# make test PYTHON=python3.12

VENV   := .venv
ifndef PYTHON
# the path, because `python3` means the one in .venv as soon as that is there
PYTHON := $(firstword $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
  $$p -c 'import sys; print(sys.executable) if sys.version_info >= (3, 11) else sys.exit(1)' \
  2>/dev/null; done; true))
endif
CORES  ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
DEMO   := examples/digits

# the commands in params.yaml say `python`: they get the one in .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help demo test test-oldest test-wheel lint clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@echo 'make demo    run the example sweep in $(DEMO)'
	@echo 'make test    run the tests (some of them: make test TESTS="tests/unit -k naming")'
	@echo 'make lint    run the linters'
	@echo 'make clean   remove .venv and the results of make demo'
	@echo 'make test-oldest    run the tests that concern Snakemake on the oldest one that is allowed'
	@echo 'make test-wheel     install the wheel into an environment of its own, run sweeps from there'

demo: $(VENV)/installed-demo
	cd $(DEMO) && snakemake -s ../../Snakefile --cores $(CORES)
	@echo
	@echo 'All experiments, the best first:   $(DEMO)/results/experiments.xlsx (or .html, .csv)'
	@echo 'All of them side by side:          $(DEMO)/results/comparison.pdf'
	@echo 'Each one, rank by rank:            $(DEMO)/results/*/ranks.pdf'
	@echo 'Their logs and checkpoints:        $(DEMO)/output/'

test: $(VENV)/installed-test
	python -m pytest -n $(CORES) --dist loadgroup $(TESTS)

# in an environment of its own; what .venv has is the newest
test-oldest:
	$(MAKE) test VENV=$(VENV)-oldest EXTRAS=test SNAKEMAKE='snakemake==9.20.*' \
	  TESTS='-m snakemake_versions tests/workflow'

test-wheel: $(VENV)/installed-test
	python -m pytest tests/release

lint: $(VENV)/installed-lint
	ruff check
	ruff format --check
	mypy --strict
	snakefmt --check Snakefile rules workflow/Snakefile examples/own_rules/Snakefile
	python .ci/snakemake_lint.py

clean:
	rm -rf $(VENV) $(VENV)-oldest $(DEMO)/output $(DEMO)/results $(DEMO)/.snakemake

# the extras that each command needs
$(VENV)/installed-demo: EXTRAS := rich
$(VENV)/installed-test: EXTRAS := rich,slurm,test
$(VENV)/installed-lint: EXTRAS := lint

$(VENV)/installed-%: pyproject.toml | $(VENV)/bin/pip
	python -m pip install --disable-pip-version-check --quiet --editable '.[$(EXTRAS)]' $(SNAKEMAKE)
	@touch $@

# Debian keeps ensurepip in a package of its own (python3-venv): without it, the pip that is there
# installs another one into the virtual environment
$(VENV)/bin/pip:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed and none was found.' >&2; \
	  echo 'Install one, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@echo 'Making $(VENV) with $(PYTHON) (the first time, this and the installation take a minute or two)'
	@$(PYTHON) -m venv --clear $(VENV) >$(VENV).log 2>&1 \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
	       && $(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; } >>$(VENV).log 2>&1 \
	  || { cat $(VENV).log >&2; rm -rf $(VENV) $(VENV).log; echo >&2; \
	       echo 'No virtual environment could be made. On Debian and Ubuntu: apt install python3-venv' >&2; \
	       exit 1; }
	@rm -f $(VENV).log
