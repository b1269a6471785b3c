#!/usr/bin/env bash
# Fine-tune a backbone of half width on small data, on one thread under
# bfloat16: UperNet on CamVid, or RetinaNet or Faster R-CNN on raccoons. Prints
# what is found at each validation. A run that was killed resumes.
#
#   learning_transfer.sh WORK_DIR SEED NAME CHECKPOINT|none upernet|retinanet|faster-rcnn
set -euo pipefail
out=$1 seed=$2 name=$3 checkpoint=$4 network=$5
. "$(dirname "$0")/learning.sh"

case $network in
upernet)
    config=mmsegmentation/camvid/upernet_r18-w32_1xb8-800_camvid-256x256
    metrics='mIoU: [0-9.]+' ;;
retinanet | faster-rcnn)
    config=mmdetection/raccoon/${network}_r18-w32_fpn_1xb4-600_raccoon
    metrics='bbox_mAP(_50)?: [0-9.]+' ;;
*) echo "there is no $network: use upernet, retinanet or faster-rcnn" >&2; exit 2 ;;
esac
work_dir=$out/$network-$name-seed$seed
python "$tools/train.py" "$tools/../configs/benchmarks/$config.py" \
    --pretrained "$checkpoint" --work-dir "$work_dir" --resume --amp \
    --cfg-options randomness.seed="$seed" train_cfg.val_interval=100 \
    train_dataloader.num_workers=1 val_dataloader.num_workers=1
found=$(cat "$work_dir"/*/*.log | grep -oE "$metrics" | paste -sd ' ')
echo "$network-$name-seed$seed: $found" | tee -a "$out/results.txt"
