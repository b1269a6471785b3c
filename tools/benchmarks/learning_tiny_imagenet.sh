#!/usr/bin/env bash
# A method on Tiny-ImageNet, on one thread under bfloat16, then k-NN and linear
# classifiers. A run that was killed resumes.
#
#   learning_tiny_imagenet.sh WORK_DIR SEED mocov2|densecl|simsiam|regioncl-m|regioncl-d|regioncl-s [SHARE]
set -euo pipefail
out=$1 seed=$2 method=$3 share=${4:-}
. "$(dirname "$0")/learning.sh"

config=$configs/${method}_resnet18-w32_1xb64-coslr-10e_tiny-imagenet.py
name=$method${share:+-share$share}-seed$seed
train "$out/$name" "$config" ${share:+model.region_share="$share"}
python "$tools/evaluate.py" "$config" "$out/$name/epoch_10.pth" \
    --out "$out/evaluation/$name"
