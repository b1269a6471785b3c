#!/usr/bin/env bash
# A method and its parent on 10,000 CIFAR-10 images, each on one thread under
# bfloat16: k-NN at equal epochs, and of the parent with as many epochs as take
# as long. A run that was killed resumes.
#
#   learning_cifar10.sh WORK_DIR SEED m|d|s|byol|simclr [SETTING=VALUE of it]
set -euo pipefail
out=$1 seed=$2 method=$3
. "$(dirname "$0")/learning.sh"

# parent, epochs, and epochs of the parent in the same time
case $method in
m) parent=mocov2 epochs=10 more=17 ;;
d) parent=densecl epochs=10 more=16 ;;
s) parent=simsiam epochs=20 more=41 ;;
byol) parent=byol epochs=20 more=34 ;;
simclr) parent=simclr epochs=10 more=21 ;;
*) echo "the method is m, d, s, byol or simclr, not '$method'" >&2; exit 2 ;;
esac
data="resnet18-w16_1xb64-coslr-${epochs}e_cifar10-10k"
longer="train_cfg.max_epochs=$more param_scheduler.0.T_max=$more
    param_scheduler.0.end=$more"

learn "$parent-${epochs}e" "${parent}_$data" $epochs
learn "regioncl-$method-${epochs}e" "regioncl-${method}_$data" $epochs "${@:4}"
# shellcheck disable=SC2086  # three settings
learn "$parent-${more}e" "${parent}_$data" $more $longer
