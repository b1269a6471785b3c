#!/usr/bin/env bash
# Fine-tune a segmenter under Slurm, or go on where it stopped:
#   slurm_train.sh PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENTS OF train.py]
set -euo pipefail
bash "$(dirname "$0")/../../slurm_train.sh" "$1" "$2" "$3" --pretrained "$4" --resume "${@:5}"
