#!/usr/bin/env bash
# ContrastiveCrop and what it is made of on 10,000 CIFAR-10 images, 10 epochs
# each on one thread under bfloat16, and k-NN. A run that was killed resumes.
#
#   learning_ccrop.sh WORK_DIR SEED random|centre|simccrop|ccrop0.1|ccrop0.6 \
#       [mocov2|regioncl-m]
set -euo pipefail
out=$1 seed=$2 crop=$3 method=${4:-mocov2}
. "$(dirname "$0")/learning.sh"

view=train_dataloader.dataset.pipeline.0.transforms.0.0
ccrop="$view.type=mmregioncl.ContrastiveCrop"
boxes=default_hooks.boxes.type=mmregioncl.SemanticLocalizationHook
case $crop in
random) settings= ;;
centre) settings="$ccrop $view.alpha=0.1 $view.fixed_box=0,0,1,1" ;;
simccrop) settings="$ccrop $view.alpha=0.1 $view.fixed_box=.25,.25,.75,.75" ;;
ccrop*) settings="$ccrop $view.alpha=${crop#ccrop} $boxes" ;;
*) echo "there is no crop '$crop'" >&2; exit 2 ;;
esac

# shellcheck disable=SC2086  # settings are words
learn "$method-$crop" "${method}_resnet18-w16_1xb64-coslr-10e_cifar10-10k" \
    10 $settings
