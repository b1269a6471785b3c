#!/usr/bin/env bash
# Compile the full mmcv 2.0.1 for the installed torch, and install it in place
# of mmcv-lite. Takes about half an hour of CPU time. The wheel is cached by the
# versions of Python and torch.
#
#   [PYTHON=python] [MAX_JOBS=2] [FORCE_CUDA=1] tools/build_mmcv.sh
set -euo pipefail
python=${PYTHON:-python}
version=2.0.1
# GPU operators are compiled if there is a GPU, or if FORCE_CUDA=1 is set.
key=$("$python" -c 'import os, platform, torch
cuda = os.getenv("FORCE_CUDA") == "1" or torch.cuda.is_available()
arch = os.getenv("TORCH_CUDA_ARCH_LIST", "").replace(";", "_")
print(f"py{platform.python_version()}-torch{torch.__version__}",
      f"cuda{arch}" if cuda else "cpu", sep="-")')
cache=${XDG_CACHE_HOME:-$HOME/.cache}/mmregioncl/mmcv-$version-$key

if ! ls "$cache"/*.whl > /dev/null 2>&1; then
    build=$(mktemp -d)
    trap 'rm -rf "$build"' EXIT
    "$python" -m pip download -q --no-deps --no-binary :all: \
        --no-build-isolation -d "$build" "mmcv==$version"
    tar -xzf "$build/mmcv-$version.tar.gz" -C "$build"
    # The headers of current torch versions need C++20.
    sed -i 's/-std=c++14/-std=c++20/g' "$build/mmcv-$version/setup.py"
    MMCV_WITH_OPS=1 "$python" -m pip wheel -q --no-deps --no-build-isolation \
        -w "$build/wheels" "$build/mmcv-$version"
    mkdir -p "$cache"
    mv "$build"/wheels/*.whl "$cache"
fi
"$python" -m pip uninstall -q -y mmcv-lite
"$python" -m pip install -q --no-deps "$cache"/*.whl
"$python" -c 'import mmcv._ext; print(mmcv._ext.__file__)'
