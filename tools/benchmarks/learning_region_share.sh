#!/usr/bin/env bash
# A method whose composites take the place of some whole views, and its parent,
# on 10,000 CIFAR-10 images for as many epochs, each on one thread, in float32
# or with amp=--amp under bfloat16. A run that was killed resumes.
#
#   learning_region_share.sh WORK_DIR SEED m|d|s|byol|simclr [SHARE]
set -euo pipefail
out=$1 seed=$2 method=$3 share=${4:-0.5}
amp=${amp-}
. "$(dirname "$0")/learning.sh"

case $method in
m) parent=mocov2 epochs=10 ;;
d) parent=densecl epochs=10 ;;
s) parent=simsiam epochs=20 ;;
byol) parent=byol epochs=20 ;;
simclr) parent=simclr epochs=10 ;;
*) echo "the method is m, d, s, byol or simclr, not '$method'" >&2; exit 2 ;;
esac
data="resnet18-w16_1xb64-coslr-${epochs}e_cifar10-10k"

learn "$parent" "${parent}_$data" $epochs
learn "regioncl-$method-share$share" "regioncl-${method}_$data" $epochs \
    model.region_share="$share"
