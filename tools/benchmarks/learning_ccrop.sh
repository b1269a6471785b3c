#!/usr/bin/env bash
# ContrastiveCrop and what it is made of on 10,000 CIFAR-10 images, 10 epochs
# each on one thread under bfloat16, and k-NN. A run that was killed resumes.
#
#   learning_ccrop.sh WORK_DIR SEED random|centre|simccrop|ccrop0.1|ccrop0.6 \
#       [mocov2|regioncl-m]
set -euo pipefail
out=$1 seed=$2 crop=$3 method=${4:-mocov2}
tools=$(dirname "$0")/..
name=${method}_resnet18-w16_1xb64-coslr-10e_cifar10-10k
config=$tools/../configs/regioncl/$name.py
work_dir=$out/$method-$crop-seed$seed
export OMP_NUM_THREADS=1

view=train_dataloader.dataset.pipeline.0.transforms.0.0
ccrop="$view.type=mmregioncl.ContrastiveCrop"
boxes=default_hooks.boxes.type=mmregioncl.SemanticLocalizationHook
case $crop in
random) options= ;;
centre) options="$ccrop $view.alpha=0.1 $view.fixed_box=0,0,1,1" ;;
simccrop) options="$ccrop $view.alpha=0.1 $view.fixed_box=.25,.25,.75,.75" ;;
ccrop*) options="$ccrop $view.alpha=${crop#ccrop} $boxes" ;;
*) echo "there is no crop '$crop'" >&2; exit 2 ;;
esac

mkdir -p "$out"
# shellcheck disable=SC2086  # options are words
python "$tools/train.py" "$config" --work-dir "$work_dir" --resume --amp \
    --cfg-options randomness.seed="$seed" $options \
    default_hooks.checkpoint.interval=1 \
    default_hooks.channels_last.type=mmregioncl.ChannelsLastHook
accuracy=$(python "$tools/evaluation/knn.py" "$config" \
    "$work_dir/epoch_10.pth" --k 20 200 \
    --cfg-options knn_datasets.test.indices=10000 | grep accuracy)
echo "$method, $crop, seed $seed: $accuracy" | tee -a "$out/results.txt"
