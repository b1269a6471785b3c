#!/usr/bin/env bash
# Fine-tune a detector or segmenter, or go on where it stopped:
#   train.sh CONFIG CHECKPOINT [ARGUMENTS OF train.py]
set -euo pipefail
python "$(dirname "$0")/../../train.py" "${1:?give CONFIG}" \
    --pretrained "${2:?give CHECKPOINT}" --resume "${@:3}"
