#!/usr/bin/env bash
# Fine-tune a backbone of half width on small data, on one thread under
# bfloat16: UperNet on CamVid, or RetinaNet or Faster R-CNN on raccoons. Prints
# the metrics of each validation and its step. A run that was killed resumes.
#
#   learning_transfer.sh WORK_DIR SEED NAME CHECKPOINT|none upernet|retinanet|faster-rcnn
set -euo pipefail
out=$1 seed=$2 name=$3 checkpoint=$4 network=$5
. "$(dirname "$0")/learning.sh"

case $network in
upernet) config=mmsegmentation/camvid/upernet_r18-w32_1xb8-800_camvid-256x256 ;;
retinanet | faster-rcnn)
    config=mmdetection/raccoon/${network}_r18-w32_fpn_1xb4-600_raccoon ;;
*) echo "there is no $network: use upernet, retinanet or faster-rcnn" >&2; exit 2 ;;
esac
work_dir=$out/$network-$name-seed$seed
# shellcheck disable=SC2086  # no argument at all where it is empty
python "$tools/train.py" "$tools/../configs/benchmarks/$config.py" \
    --pretrained "$checkpoint" --work-dir "$work_dir" --resume ${amp---amp} \
    --cfg-options randomness.seed="$seed" train_cfg.val_interval=100 \
    train_dataloader.num_workers=1 val_dataloader.num_workers=1
found=$(python - "$work_dir" <<'PYTHON'
import sys
from pathlib import Path

from mmregioncl.visualization.curves import read_curves

for name, points in read_curves(Path(sys.argv[1])).items():
    if name.endswith(('bbox_mAP', 'bbox_mAP_50', 'mIoU')):
        print(name, *(f'{value} at {step}' for step, value in points), end=' ')
PYTHON
)
echo "$network-$name-seed$seed: $found" | tee -a "$out/results.txt"
