# shellcheck shell=bash
# What the scripts for learning curves share: source it, with out, seed set.
# Runs are under bfloat16, unless amp is set to nothing.
tools=$(dirname "${BASH_SOURCE[0]}")/..
configs=$tools/../configs/regioncl
export OMP_NUM_THREADS=1
mkdir -p "$out"

# name of the run, config, epochs, settings: train or go on, then k-NN and linear
# classifiers on all test images. pairs.py makes a table of several runs.
learn() {
    local name=$1-seed$seed config=$configs/$2.py
    # shellcheck disable=SC2086  # no argument at all where it is empty
    python "$tools/train.py" "$config" --work-dir "$out/$name" --resume \
        ${amp---amp} --cfg-options randomness.seed="$seed" "${@:4}" \
        default_hooks.checkpoint.interval=1 \
        default_hooks.channels_last.type=mmregioncl.ChannelsLastHook
    python "$tools/evaluate.py" "$config" "$out/$name/epoch_$3.pth" \
        --out "$out/evaluation/$name" --temperature 0.1 \
        --cfg-options eval_datasets.test.indices=10000
}
