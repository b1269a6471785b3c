#!/usr/bin/env bash
# Fine-tune a detector or segmenter under Slurm, or go on where it stopped:
#   slurm_train.sh PARTITION JOB_NAME CONFIG CHECKPOINT [ARGUMENTS OF train.py]
set -euo pipefail
bash "$(dirname "$0")/../../slurm_train.sh" "${1:?give PARTITION}" \
    "${2:?give JOB_NAME}" "${3:?give CONFIG}" \
    --pretrained "${4:?give CHECKPOINT}" --resume "${@:5}"
