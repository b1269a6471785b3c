#!/usr/bin/env bash
# Fine-tune a detector or segmenter on several GPUs, or go on where it stopped:
#   dist_train.sh CONFIG CHECKPOINT GPUS [ARGUMENTS OF train.py]
set -euo pipefail
bash "$(dirname "$0")/../../dist_train.sh" "${1:?give CONFIG}" \
    "${3:?give GPUS}" --pretrained "${2:?give CHECKPOINT}" --resume "${@:4}"
