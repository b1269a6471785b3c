# shellcheck shell=bash
# What the scripts for learning curves share: source it, with out, seed set.
# Runs are under bfloat16, unless amp is set to nothing.
tools=$(dirname "${BASH_SOURCE[0]}")/..
configs=$tools/../configs/regioncl
export OMP_NUM_THREADS=1
mkdir -p "$out"

# name of the run, config, epochs, settings: train, or go on; then k-NN on all
# test images, a line in results.txt
learn() {
    local name=$1-seed$seed config=$configs/$2.py epochs=$3 accuracy
    local work_dir=$out/$name
    # shellcheck disable=SC2086  # no argument at all where it is empty
    python "$tools/train.py" "$config" --work-dir "$work_dir" --resume \
        ${amp---amp} --cfg-options randomness.seed="$seed" "${@:4}" \
        default_hooks.checkpoint.interval=1 \
        default_hooks.channels_last.type=mmregioncl.ChannelsLastHook
    accuracy=$(python "$tools/evaluation/knn.py" "$config" \
        "$work_dir/epoch_$epochs.pth" --k 20 200 \
        --cfg-options eval_datasets.test.indices=10000 |
        grep '^k-NN' | paste -sd ';')
    echo "$name: $accuracy" | tee -a "$out/results.txt"
}
