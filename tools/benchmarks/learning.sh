# shellcheck shell=bash
# What the scripts for learning curves share: source it, with out, seed set.
# Runs are under bfloat16, unless amp is set to nothing.
tools=$(dirname "${BASH_SOURCE[0]}")/..
configs=$tools/../configs/regioncl
export OMP_NUM_THREADS=1
mkdir -p "$out"

# work dir, config, settings: train, or go on
train() {
    # shellcheck disable=SC2086  # no argument at all where it is empty
    python "$tools/train.py" "$2" --work-dir "$1" --resume ${amp---amp} \
        --cfg-options randomness.seed="$seed" "${@:3}" \
        default_hooks.checkpoint.interval=1 \
        default_hooks.channels_last.type=mmregioncl.ChannelsLastHook
}

# name of the run, config, epochs, settings: train, then k-NN on all test
# images, a line in results.txt
learn() {
    local name=$1-seed$seed config=$configs/$2.py accuracy
    train "$out/$name" "$config" "${@:4}"
    accuracy=$(python "$tools/evaluation/knn.py" "$config" \
        "$out/$name/epoch_$3.pth" --k 20 200 \
        --cfg-options eval_datasets.test.indices=10000 |
        grep '^k-NN' | paste -sd ';')
    echo "$name: $accuracy" | tee -a "$out/results.txt"
}
