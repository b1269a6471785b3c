#!/usr/bin/env bash
# Train under Slurm:
#   slurm_train.sh PARTITION JOB_NAME CONFIG [ARGUMENTS OF train.py]
# Reads GPUS (the total, default 8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and
# SRUN_ARGS from the environment.
set -euo pipefail
partition=${1:?give PARTITION} job_name=${2:?give JOB_NAME}
config=${3:?give CONFIG}
gpus_per_node=${GPUS_PER_NODE:-8}

# shellcheck disable=SC2086  # SRUN_ARGS holds several words
srun --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$gpus_per_node" \
    --ntasks="${GPUS:-8}" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$(dirname "$0")/train.py" "$config" --launcher slurm "${@:4}"
