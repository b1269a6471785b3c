# Every target first sets up $(VENV), if it is not there.
#   make demo      pre-train on handwritten digits, and report on it
#   make test      run the tests; NUMPY=1 runs them under numpy 1.26
#   make lint      what a commit must pass; make format mends what it can
PYTHON ?= python3
VENV ?= .venv
NUMPY ?= 2

BIN := $(VENV)/bin
READY := $(VENV)/.ready-numpy$(NUMPY)
REQUIREMENTS := requirements
SOURCES := mmregioncl configs tools tests setup.py
TEXTS := $(SOURCES) README.md benchmarks Makefile

# An interpreter that has torch keeps it, and the environment looks through to
# the folder that it lies in. (--system-site-packages would pass by a venv's.)
OWN_TORCH := $(shell $(PYTHON) -c "import os, sys; \
    from importlib.metadata import version; \
    os.path.realpath(sys.prefix) == os.path.realpath('$(VENV)') or \
    print('torch==' + version('torch'))" 2> /dev/null)

NO_FIT := The torch of $(PYTHON) has no torchvision that fits: install one \
beside it, or set PYTHON to an interpreter without torch.

.PHONY: setup demo test lint format clean

setup: $(READY)

$(READY): $(wildcard $(REQUIREMENTS)/*.txt) setup.py
	rm -f $(VENV)/.ready-*
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(if $(OWN_TORCH),echo '$(OWN_TORCH)',cat $(REQUIREMENTS)/torch.txt) \
	    > $(VENV)/torch.txt
	$(if $(OWN_TORCH),$(PYTHON) -c "from importlib.metadata import \
	    distribution; print(distribution('torch').locate_file(''))" \
	    > $$($(BIN)/python -c "import sysconfig; \
	    print(sysconfig.get_path('purelib'))")/own_torch.pth)
	$(BIN)/pip install -q -c $(REQUIREMENTS)/constraints.txt setuptools wheel
	$(BIN)/pip install -q -c $(REQUIREMENTS)/constraints.txt \
	    -c $(VENV)/torch.txt -r $(REQUIREMENTS)/numpy$(NUMPY).txt \
	    -r $(REQUIREMENTS)/tests.txt -r $(REQUIREMENTS)/lint.txt \
	    --no-build-isolation -e .
	$(BIN)/pip install -q --no-deps -r $(REQUIREMENTS)/mmpose.txt
	$(BIN)/python -c 'import mmregioncl, torchvision' || \
	    { echo "$(if $(OWN_TORCH),$(NO_FIT))"; exit 1; }
	touch $@

demo: $(READY)
	$(BIN)/python tools/demo.py --out demo

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/flake8 $(SOURCES)
	$(BIN)/isort --check-only --diff $(SOURCES)
	$(BIN)/yapf --diff --recursive $(SOURCES)
	$(BIN)/docformatter --recursive --check --diff $(SOURCES)
	$(BIN)/codespell $(TEXTS)
	$(BIN)/pylint --rcfile setup.cfg --recursive yes $(SOURCES)

format: $(READY)
	-git ls-files '*.py' | xargs $(BIN)/double-quote-string-fixer
	-$(BIN)/docformatter --recursive --in-place $(SOURCES)
	$(BIN)/isort -q $(SOURCES)
	$(BIN)/yapf --in-place --recursive $(SOURCES)

clean:
	rm -rf build dist *.egg-info .pytest_cache
