#!/usr/bin/env bash
# First contact with a GPU: tests, tables, and CIFAR-10 by MoCo v2 and
# RegionCL-M with views made on the device. Works in calls of at most nine
# minutes, each of which goes on where the last one stopped.
#
#   gpu.sh OUT [PART...]     parts: tests tables waits cifar10, all by default
#
# The exit status is 0 when the parts are done, 75 if another call has to go
# on, and 1 if all were run and one failed. Each step leaves OUT/NAME.txt, and
# OUT/NAME.done or OUT/NAME.failed; remove the latter to try it again. A step
# other than training fails if a whole call is too short for it: set CALL.
# What came out is in OUT/summary.txt.
#
# The machine needs no network. To one that has Python 3.11 to 3.13, PyTorch
# with CUDA, torchvision, NumPy, SciPy, scikit-learn, OpenCV, matplotlib,
# tensorboard, rich, PyYAML and pytest, carry this repository, data/cifar10,
# and these wheels, which are pure Python, to be installed with --no-deps (the
# versions are in requirements/constraints.txt and, of yapf, lint.txt):
#
#   addict dill mmcls mmcv-lite mmengine mmselfsup model-index ordered-set
#   platformdirs termcolor yapf
set -euo pipefail
if [ $# = 0 ]; then
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
fi
: "${PYTHON:=python3}"                     # that has these packages
: "${DEVICE:=cuda}"                        # or cpu, to try the script
: "${CALL:=520}"                           # seconds of a call
: "${CIFAR10:=data/cifar10}"               # folder of the data set
: "${EPOCHS:=200}"                         # of CIFAR-10
: "${BATCH:=512}"                          # of CIFAR-10
: "${WORKERS:=16}"                         # of its loader
: "${STEP:=--batch 64 --repeats 20}"       # of the tables of steps
: "${SWITCHES:=--batch 512}"               # of the table of switches
: "${LOADER:=--workers 4 16 --batches 40}" # of the table of loaders
: "${TRAIN:=}"                             # more settings, KEY=VALUE
mkdir -p "$1"
out=$(cd "$1" && pwd)
CIFAR10=$(realpath "$CIFAR10")
shift
cd "$(dirname "$0")/../.."
export DEVICE PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
SECONDS=0 # counted by bash
more=0

# name, arguments of Python: run it, unless it is done, while the call lasts
step() {
    local name=$1 left=$((CALL - SECONDS)) status=0
    shift
    if [ -e "$out/$name.done" ] || [ -e "$out/$name.failed" ]; then
        return
    fi
    if [ "$left" -le 0 ]; then
        more=1
        return
    fi
    echo "== $name, $left s left"
    timeout --signal TERM --kill-after 20 "$left" "$PYTHON" "$@" \
        > "$out/$name.txt" 2>&1 || status=$?
    case $status in
    0) touch "$out/$name.done" ;;
    75) more=1 SECONDS=$CALL ;; # out of time
    124 | 137)                  # did not end in time, and was stopped
        if [ "$left" -ge $((CALL - 5)) ] && [ "$1" != tools/train.py ]; then
            touch "$out/$name.failed" # would begin anew in each call
        else
            more=1 SECONDS=$CALL
        fi
        ;;
    *) touch "$out/$name.failed" ;;
    esac
    tail -n 3 "$out/$name.txt"
}

tests() { # what make test DEVICE=cuda runs, by folder
    local folder
    for folder in models datasets engine; do
        step "tests-$folder" -m pytest -m device "tests/$folder"
    done
    step tests-configs -m pytest -m device tests/test_configs.py
}

# shellcheck disable=SC2086  # settings are words
tables() {
    local method dtype
    for dtype in fp32 bf16; do
        for method in m d s byol simclr; do
            step "step-$method-$dtype" tools/benchmarks/train_step.py \
                --method $method --dtype $dtype --device "$DEVICE" $STEP
        done
        step "step-m-share-$dtype" tools/benchmarks/train_step.py --method m \
            --region-share 0.5 --dtype $dtype --device "$DEVICE" $STEP
    done
    step switches tools/benchmarks/switches.py --cifar10 "$CIFAR10" \
        --device "$DEVICE" $SWITCHES
    step loader tools/benchmarks/loader.py --cifar10 "$CIFAR10" \
        --batch "$BATCH" --device "$DEVICE" $LOADER
}

# name, config, epochs, settings: train, or go on; in bfloat16 on a GPU
# shellcheck disable=SC2086
learn() {
    local amp= dtype=
    if [ "$DEVICE" = cuda ]; then
        amp=--amp dtype=optim_wrapper.dtype=bfloat16
    fi
    step "$1" tools/train.py "configs/regioncl/$2.py" --work-dir "$out/$1" \
        --resume $amp --cfg-options \
        randomness.seed=0 \
        train_cfg.max_epochs="$3" \
        param_scheduler.0.T_max="$3" \
        param_scheduler.0.end="$3" \
        train_dataloader.batch_size="$BATCH" \
        train_dataloader.num_workers="$WORKERS" \
        train_dataloader.dataset.data_prefix="$CIFAR10" \
        eval_datasets.train.data_prefix="$CIFAR10" \
        eval_datasets.test.data_prefix="$CIFAR10" \
        default_hooks.channels_last.type=mmregioncl.ChannelsLastHook \
        $dtype $TRAIN "${@:4}"
}

waits() { # how long the model waits for each loader, in two epochs
    local config=regioncl-m_resnet18_1xb512-coslr-200e_cifar10
    learn waits-loader $config 2
    learn waits-device $config-device-views 2
}

cifar10() {
    local config=resnet18_1xb512-coslr-200e_cifar10-device-views
    learn cifar10-mocov2 mocov2_$config "$EPOCHS"
    learn cifar10-regioncl-m regioncl-m_$config "$EPOCHS"
    learn cifar10-regioncl-m-share regioncl-m_$config "$EPOCHS" \
        model.region_share=0.5
}

summary() ( # a shell of its own
    shopt -s nullglob
    for file in "$out"/*.txt; do
        printf '\n== %s\n' "$(basename "$file" .txt)"
        case $file in
        */tests-*) tail -n 1 "$file" ;;
        */waits-* | */cifar10-*)
            grep -E 'data_wait|after epoch' "$file" | tail -n 6 || true ;;
        *) cat "$file" ;;
        esac
    done
)

if [ $# = 0 ]; then
    set -- tests tables waits cifar10
fi
for part in "$@"; do
    case $part in
    tests | tables | waits | cifar10) $part ;;
    *)
        echo "there is no part '$part'" >&2
        exit 2
        ;;
    esac
done
rm -f "$out/summary.txt"
summary > "$out/summary"
mv "$out/summary" "$out/summary.txt"
failed=$(cd "$out" && ls -- *.failed 2> /dev/null || true)
if [ $more = 1 ]; then
    echo 'call again to go on'
    exit 75
elif [ -n "$failed" ]; then
    echo "failed: $failed"
    exit 1
fi
echo "done: $out/summary.txt"
