# Every target but clean sets up $(VENV) first, unless it is there.
#   make demo       pre-train on handwritten digits, and report on it
#   make test       run all tests on JOBS processes; NUMPY=1 for numpy 1.26
#                   DEVICE=cuda for those that a GPU can run, on it
#   make test-fast  run the tests that take no time, while you edit
#   make bench      measure time and memory into benchmarks/ (half an hour)
#   make lint       what a commit must pass; make format fixes what it can
# HOST=mmselfsup, mmpretrain or onedl (the OneDL forks, in .venv-onedl) installs
# and extends that host alone. Otherwise both are installed, and MMSelfSup is
# extended.
PYTHON ?= python3
NUMPY ?= 2
JOBS ?= 3
export DEVICE ?= cpu

FORKS := $(filter onedl,$(HOST))
VENV ?= .venv$(FORKS:%=-%)
export MMREGIONCL_HOST := $(if $(FORKS),mmpretrain,$(HOST))

BIN := $(VENV)/bin
READY := $(VENV)/.ready-numpy$(NUMPY)$(HOST:%=-%)
REQUIREMENTS := requirements
SOURCES := mmregioncl configs tools tests setup.py
TEXTS := $(SOURCES) $(wildcard *.md) docs benchmarks Makefile

# If $(PYTHON) has torch, the environment uses that one, by a .pth file.
# (--system-site-packages does not see the packages of a virtual environment.)
# Its setuptools would not provide distutils, which MMEngine needs, so the
# environment gets its own. What venv has put there is removed first, since two
# releases beside each other mix up their entry points.
OWN_TORCH := $(shell $(PYTHON) -c "import os, sys; \
    from importlib.metadata import version; \
    os.path.realpath(sys.prefix) == os.path.realpath('$(VENV)') or \
    print('torch==' + version('torch'))" 2> /dev/null)

NO_FIT := The torch of $(PYTHON) has no torchvision that fits: install one \
beside it, or set PYTHON to an interpreter without torch.

PIP = $(BIN)/pip install -q -c $(REQUIREMENTS)/constraints.txt \
    -c $(VENV)/torch.txt -r $(REQUIREMENTS)/numpy$(NUMPY).txt
PACKAGES := tests lint \
    $(if $(FORKS),,transfer $(or $(HOST),mmselfsup mmpretrain))

# The other tests do not depend on the host, or would take too long.
TESTS_mmpretrain := tests/models/algorithms tests/models/heads \
    tests/models/necks tests/models/utils/test_region_swap.py tests/hooks \
    tests/evaluation/test_data.py tests/evaluation/test_features.py \
    tests/evaluation/test_run.py tests/engine/test_classifier.py \
    tests/engine/config tests/engine/test_loops.py \
    tests/datasets/test_seeded_sampler.py tests/transfer/test_load.py \
    tests/visualization tests/compat/test_patches.py tests/test_configs.py \
    tests/test_benchmark_configs.py tests/test_host.py \
    tests/test_unknown_arguments.py tests/tools/test_backbones.py \
    -k 'not (segmenter or fpn or compile)'
# The host, and from pre-training to detectors and segmenters
TESTS_onedl := tests/test_host.py tests/test_benchmark_configs.py \
    tests/test_configs.py::test_one_line_turns_a_parent_into_its_region_method
TESTS := $(TESTS_$(HOST))

# Tests that share a fixture stay on one process.
PARALLEL := -n $(JOBS) --dist loadgroup

# All of them on one process, which the GPU knows
ifneq ($(DEVICE),cpu)
TESTS := -m device
PARALLEL :=
endif

.PHONY: setup demo test test-fast bench lint format clean

setup: $(READY)

$(READY): $(wildcard $(REQUIREMENTS)/*.txt) setup.py pyproject.toml
	rm -f $(filter-out $(VENV)/.ready-numpy$(NUMPY)%,\
	    $(wildcard $(VENV)/.ready-*))
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(if $(OWN_TORCH),echo '$(OWN_TORCH)',cat $(REQUIREMENTS)/torch.txt) \
	    > $(VENV)/torch.txt
	$(if $(OWN_TORCH),$(PYTHON) -c "from importlib.metadata import \
	    distribution; print(distribution('torch').locate_file(''))" \
	    > $$($(BIN)/python -c "import sysconfig; \
	    print(sysconfig.get_path('purelib'))")/own_torch.pth)
	$(BIN)/pip uninstall -q -y setuptools
	$(PIP) --ignore-installed setuptools wheel
	$(if $(FORKS),MMCV_WITH_OPS=0 $(PIP) -r $(REQUIREMENTS)/onedl.txt)
	$(PIP) $(PACKAGES:%=-r $(REQUIREMENTS)/%.txt) --no-build-isolation -e .
	$(BIN)/pip install -q --no-deps -r $(REQUIREMENTS)/mmpose.txt
	$(BIN)/python -c 'import mmregioncl, torchvision' || \
	    { echo "$(if $(OWN_TORCH),$(NO_FIT))"; exit 1; }
	touch $@

demo: $(READY)
	$(BIN)/python tools/demo.py --out demo

test: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) $(TESTS)

test-fast: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow'

# Photographs and CIFAR-10 if present, or scikit-learn's photographs.
PHOTOS := $(wildcard data/coco_small/images data/camvid/img_dir)
PHOTOS := $(if $(PHOTOS),--images $(PHOTOS))
CIFAR10 := $(if $(wildcard data/cifar10),--cifar10 data/cifar10)

# A table is replaced only when it is complete.
define table
	$(BIN)/python tools/benchmarks/$(1).py $(2) > benchmarks/$(3).txt.part
	mv benchmarks/$(3).txt.part benchmarks/$(3).txt
	cat benchmarks/$(3).txt

endef

bench: $(READY)
	$(call table,transforms,$(PHOTOS) $(CIFAR10),transforms)
	$(call table,loader,$(PHOTOS) $(CIFAR10),loader)
	$(call table,seeding,$(PHOTOS),seeding)
	$(call table,memory,,memory)
	$(call table,switches,$(CIFAR10),switches)
	$(foreach method,m d s byol simclr,$(call table,train_step,\
	    --method $(method) --batch 8 --repeats 7,train_step_$(method)))

lint: $(READY)
	$(BIN)/flake8 $(SOURCES)
	$(BIN)/isort --check-only --diff $(SOURCES)
	$(BIN)/yapf --diff --recursive $(SOURCES)
	$(BIN)/docformatter --recursive --check --diff $(SOURCES)
	$(BIN)/codespell $(TEXTS)
	$(BIN)/pylint --rcfile pyproject.toml --recursive yes $(SOURCES)
	$(BIN)/mypy

format: $(READY)
	-git ls-files '*.py' | xargs $(BIN)/double-quote-string-fixer
	-$(BIN)/docformatter --recursive --in-place $(SOURCES)
	$(BIN)/isort -q $(SOURCES)
	$(BIN)/yapf --in-place --recursive $(SOURCES)

clean:
	rm -rf build dist *.egg-info .pytest_cache
