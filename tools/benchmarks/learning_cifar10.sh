#!/usr/bin/env bash
# A method and its parent on 10,000 CIFAR-10 images, each on one thread under
# bfloat16: k-NN at equal epochs, and of the parent with as many epochs as take
# as long. A run that was killed resumes.
#
#   learning_cifar10.sh WORK_DIR SEED m|d|s|byol|simclr
set -euo pipefail
out=$1 seed=$2 method=$3
tools=$(dirname "$0")/..
configs=$tools/../configs/regioncl
export OMP_NUM_THREADS=1

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

run() { # name, epochs
    local config=$configs/$1_$data.py work_dir=$out/$1-$2e-seed$seed
    local start=$SECONDS accuracy
    python "$tools/train.py" "$config" --work-dir "$work_dir" --resume --amp \
        --cfg-options randomness.seed="$seed" train_cfg.max_epochs="$2" \
        param_scheduler.0.T_max="$2" param_scheduler.0.end="$2" \
        default_hooks.checkpoint.interval=1 \
        default_hooks.channels_last.type=mmregioncl.ChannelsLastHook
    local seconds=$((SECONDS - start))
    accuracy=$(python "$tools/evaluation/knn.py" "$config" \
        "$work_dir/epoch_$2.pth" --k 20 200 \
        --cfg-options knn_datasets.test.indices=10000 | grep accuracy)
    echo "$1, $2 epochs, seed $seed, $seconds s: $accuracy" |
        tee -a "$out/results.txt"
}

mkdir -p "$out"
run $parent $epochs
run "regioncl-$method" $epochs
run $parent $more
