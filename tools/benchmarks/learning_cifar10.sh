#!/usr/bin/env bash
# MoCo v2 and RegionCL-M on 10,000 CIFAR-10 images; k-NN at equal epochs, and
# at equal time with more epochs for MoCo v2. A run that was killed resumes.
#
#   learning_cifar10.sh WORK_DIR SEED [EPOCHS_OF_EQUAL_TIME]
set -euo pipefail
out=$1 seed=$2 equal_time=${3:-17}
tools=$(dirname "$0")/..
configs=$tools/../configs/regioncl
data='resnet18-w16_1xb64-coslr-10e_cifar10-10k'

run() { # name, config, epochs
    local work_dir=$out/$1-$3e-seed$seed config=$configs/$2_$data.py
    python "$tools/train.py" "$config" --work-dir "$work_dir" --resume \
        --cfg-options randomness.seed="$seed" train_cfg.max_epochs="$3" \
        param_scheduler.0.T_max="$3" param_scheduler.0.end="$3" \
        default_hooks.checkpoint.interval=1
    local accuracy
    accuracy=$(python "$tools/evaluation/knn.py" "$config" \
        "$work_dir/epoch_$3.pth")
    echo "$1, $3 epochs, seed $seed: $accuracy" | tee -a "$out/results.txt"
}

run mocov2 mocov2 10
run regioncl-m regioncl-m 10
run mocov2 mocov2 "$equal_time"
