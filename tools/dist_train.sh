#!/usr/bin/env bash
# Train on the GPUs of one machine, or of NNODES machines:
#   dist_train.sh CONFIG GPUS [ARGUMENTS OF train.py]
# If a process dies, all are ended and started again, up to MAX_RESTARTS times,
# and resume from the last checkpoint.
set -euo pipefail
config=${1:?give CONFIG} gpus=${2:?give GPUS}

torchrun \
    --nnodes "${NNODES:-1}" \
    --node_rank "${NODE_RANK:-0}" \
    --nproc_per_node "$gpus" \
    --master_addr "${MASTER_ADDR:-127.0.0.1}" \
    --master_port "${PORT:-29500}" \
    --max-restarts "${MAX_RESTARTS:-0}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
