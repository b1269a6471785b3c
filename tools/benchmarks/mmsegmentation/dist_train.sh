#!/usr/bin/env bash
# Fine-tune a segmenter on several GPUs, or go on where it stopped:
#   dist_train.sh CONFIG CHECKPOINT GPUS [ARGUMENTS OF train.py]
set -euo pipefail
bash "$(dirname "$0")/../../dist_train.sh" "$1" "$3" --pretrained "$2" --resume "${@:4}"
