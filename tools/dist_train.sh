#!/usr/bin/env bash
# Train on the GPUs of one machine, or of NNODES machines:
#   dist_train.sh CONFIG GPUS [ARGUMENTS OF train.py]
# If a process dies or ends by a signal of its own, all are ended and started
# again, up to MAX_RESTARTS times, and resume from the last checkpoint. Signals
# to this script reach all processes, which have GRACE seconds (default 120) to
# write a checkpoint.
set -euo pipefail
config=${1:?give CONFIG} gpus=${2:?give GPUS}

# By default, processes of a restart read the addresses of those before them.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
exec torchrun \
    --nnodes "${NNODES:-1}" \
    --node_rank "${NODE_RANK:-0}" \
    --nproc_per_node "$gpus" \
    --rdzv-backend c10d \
    --rdzv-endpoint "${MASTER_ADDR:-127.0.0.1}:${PORT:-29500}" \
    --rdzv-id "${PORT:-29500}" \
    --max-restarts "${MAX_RESTARTS:-0}" \
    --signals-to-handle SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1 \
    --shutdown-timeout "${GRACE:-120}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
