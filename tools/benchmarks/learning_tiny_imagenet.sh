#!/usr/bin/env bash
# A method on Tiny-ImageNet, on one thread under bfloat16, then k-NN and linear
# classifiers. A run that was killed resumes.
#
#   learning_tiny_imagenet.sh WORK_DIR SEED mocov2|densecl|simsiam|regioncl-m|regioncl-d|regioncl-s [SHARE]
set -euo pipefail
out=$1 seed=$2 method=$3 share=${4:-}
. "$(dirname "$0")/learning.sh"

learn "$method${share:+-share$share}" \
    "${method}_resnet18-w32_1xb64-coslr-10e_tiny-imagenet" 10 \
    ${share:+model.region_share="$share"}
