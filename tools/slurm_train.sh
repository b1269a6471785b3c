#!/usr/bin/env bash
# Submit a training to Slurm:
#   slurm_train.sh PARTITION JOB_NAME CONFIG [ARGUMENTS OF train.py]
# Before its time is up, and when it is preempted, the job writes a checkpoint;
# it is then queued again, and resumes. Reads GPUS (the total, default 8),
# GPUS_PER_NODE (8), CPUS_PER_TASK (5), NOTICE (300 seconds before the end of
# the time), SBATCH_ARGS and SRUN_ARGS from the environment.
set -euo pipefail
partition=${1:?give PARTITION} job_name=${2:?give JOB_NAME}
config=${3:?give CONFIG}
gpus_per_node=${GPUS_PER_NODE:-8}
train="$(dirname "$0")/train.py"
command=$(printf '%q ' python -u "$train" "$config" --launcher slurm "${@:4}")

# shellcheck disable=SC2086  # SBATCH_ARGS holds several words
sbatch --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$gpus_per_node" \
    --ntasks="${GPUS:-8}" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --signal="USR1@${NOTICE:-300}" \
    --requeue \
    --open-mode=append \
    ${SBATCH_ARGS:-} <<END
#!/usr/bin/env bash
# srun does not take --cpus-per-task over from sbatch.
srun --kill-on-bad-exit=1 --cpus-per-task=${CPUS_PER_TASK:-5} \\
    ${SRUN_ARGS:-} $command
code=\$?
# The exit code of a run that received a stop signal
if [ \$code = 75 ]; then
    exec scontrol requeue "\$SLURM_JOB_ID"
fi
exit \$code
END
