"""Kill runs at random moments, resume them, and compare the final weights.

    python tools/benchmarks/resume.py --kills 20

A toy run of each method is trained without interruption. Then it is trained
again and killed with SIGKILL: after a random time, in the middle of writing a
checkpoint, in an evaluation, or while boxes are found. Each time it is resumed
from the last checkpoint in its work dir. At the end its checkpoint has to have
the same bits: weights, optimizer, schedule, queue, boxes, linear probe, logged
values. Half of the kills hit runs with gradient accumulation, in which epochs
end in the middle of an update.
"""
import argparse
import os
import random
import shutil
import signal
import socket
import tempfile
import time
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Iterator, List, Tuple

import numpy as np
import torch
from mmengine.config import Config, config
from mmengine.runner import Runner

from mmregioncl.datasets.digits import write_digits
from mmregioncl.engine.config import load_config
from mmregioncl.engine.storage import find_checkpoint
from mmregioncl.hooks import (OnlineKNNHook, RepresentationHealthHook,
                              SemanticLocalizationHook)
from mmregioncl.visualization.curves import read_curves

CONFIGS = Path(__file__).parents[2] / 'configs'
METHODS = dict(
    M='regioncl-m_resnet18-w16_1xb64-coslr-10e_cifar10-10k',
    D='regioncl-d_resnet18-w16_1xb64-coslr-10e_cifar10-10k',
    S='regioncl-s_resnet18-w16_1xb64-coslr-20e_cifar10-10k',
    BYOL='regioncl-byol_resnet18-w16_1xb64-coslr-20e_cifar10-10k',
    SimCLR='regioncl-simclr_resnet18-w16_1xb64-coslr-10e_cifar10-10k',
    MoCoV3='regioncl-mocov3_vit-w96-p4_1xb64-coslr-10e_cifar10-10k')
# What a name may begin with, as device-share-M
VARIANTS = dict(
    ccrop='with ContrastiveCrop',
    share='half of the images as composites',
    device='views of whole batches, by the preprocessor')
MOMENTS = ('random', 'writing', 'random', 'evaluating', 'random', 'boxes')
EPOCHS = 4
# What depends on the clock or on the folder
UNLIKE = ('time', 'data_time', 'memory', 'images_per_second', 'data_wait')


def toy_config(method: str, workers: int, processes: int, accumulate: int,
               root: Path) -> Config:
    """Config of 24 steps of 8 digits, with a checkpoint each half second."""
    *variants, name = method.split('-')
    cfg = load_config(CONFIGS / 'regioncl' /
                      'regioncl-m_resnet18-w16_1xb32-coslr-20e_digits.py')
    recipe = load_config(CONFIGS / 'regioncl' / f'{METHODS[name]}.py')
    cfg.model = recipe.model
    cfg.find_unused_parameters = recipe.get('find_unused_parameters', False)
    if 'stem_channels' in cfg.model.backbone:
        cfg.model.backbone.update(stem_channels=8, base_channels=8)
        cfg.model.neck.in_channels = 64
    else:  # a vision transformer
        cfg.model.backbone.arch.num_layers = 1
    if 'share' in variants:
        cfg.model.region_share = 0.5
    if 'queue_len' in cfg.model:
        cfg.model.queue_len = 20
    digits = str(root / 'digits' / 'train')
    cfg.train_dataloader.dataset.update(data_root=digits, indices=48)
    for part in cfg.eval_datasets.values():
        part.update(data_root=digits, indices=24)
    cfg.train_dataloader.update(
        batch_size=8 // processes,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=False)
    if 'ccrop' in variants:
        views = cfg.train_dataloader.dataset.pipeline[1]
        views.transforms[0][0].type = 'mmregioncl.ContrastiveCrop'
        cfg.default_hooks.boxes = dict(
            type='mmregioncl.SemanticLocalizationHook',
            warmup_epochs=1,
            interval=1)
    if 'device' in variants:
        load, views, _ = cfg.train_dataloader.dataset.pipeline
        cfg.model.data_preprocessor.views = dict(
            num_views=2, transforms=views.transforms)
        cfg.train_dataloader.dataset.pipeline = [
            load, dict(type='mmregioncl.PackSeededInputs')
        ]
    cfg.default_hooks.checkpoint.update(interval=1, minutes=0.5 / 60)
    cfg.default_hooks.health.update(samples=8, interval=2)
    cfg.default_hooks.knn.update(k=(5, ), interval=1)
    cfg.default_hooks.linear.interval = 2
    cfg.default_hooks.logger.interval = 2
    cfg.optim_wrapper.accumulative_counts = accumulate
    cfg.param_scheduler = [
        dict(
            type='LinearLR',
            start_factor=0.1,
            by_epoch=True,
            end=1,
            convert_to_iter_based=True),
        dict(type='CosineAnnealingLR', T_max=3, begin=1, end=EPOCHS)
    ]
    cfg.train_cfg.max_epochs = EPOCHS
    cfg.env_cfg.dist_cfg = dict(backend='gloo', timeout=60)
    cfg.launcher = 'pytorch' if processes > 1 else 'none'
    cfg.log_level = 'WARNING'
    return cfg


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(moment: str, count: int) -> None:
    """Kill this process at the `count`-th time that something happens."""
    left = [count]

    def is_time() -> bool:
        left[0] -= 1
        return left[0] == 0

    if moment == 'writing':
        write = Path.write_bytes

        def write_half(path: Path, data: bytes) -> int:
            if is_time():
                write(path, data[:len(data) // 2])
                die()
            return write(path, data)

        Path.write_bytes = write_half
        return
    methods = dict(
        evaluating=[(OnlineKNNHook, 'find_neighbours'),
                    (RepresentationHealthHook, 'report')],
        boxes=[(SemanticLocalizationHook, 'report')])[moment]
    for kind, name in methods:
        call = getattr(kind, name)

        def call_or_die(*args, call=call, **kwargs) -> Any:
            if is_time():
                die()
            return call(*args, **kwargs)

        setattr(kind, name, call_or_die)


def train(cfg: Config, rank: int, port: int, moment: str, count: int) -> None:
    """Train in this process, to the end or to a moment."""
    log = os.open(f'{cfg.work_dir}.log', os.O_WRONLY | os.O_CREAT
                  | os.O_APPEND)
    os.dup2(log, 1), os.dup2(log, 2)
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port))
    torch.set_num_threads(1)
    if moment != 'random' and rank == 0:
        die_at(moment, count)
    checkpoint = find_checkpoint(cfg.work_dir)
    if checkpoint:
        cfg.update(resume=True, load_from=checkpoint)
    Runner.from_cfg(cfg).train()
    os._exit(0)


def live(cfg: Config,
         processes: int,
         moment: str = 'random',
         delay: float = float('inf'),
         count: int = 0) -> bool:
    """Run until the end, or until the processes are killed.

    Returns:
        bool: Whether the run was killed.

    Raises:
        RuntimeError: If the run failed.
    """
    with socket.socket() as free:
        free.bind(('', 0))
        port = free.getsockname()[1]
    fork = get_context('fork').Process
    children = [
        fork(target=train, args=(cfg, rank, port, moment, count))
        for rank in range(processes)
    ]
    for child in children:
        child.start()
    end = time.monotonic() + delay
    failed: List[int] = []
    while any(child.is_alive() for child in children):
        time.sleep(0.01)
        codes = [child.exitcode for child in children if child.exitcode]
        failed = failed or codes  # those of processes that ended first
        if failed or time.monotonic() > end:
            for child in children:
                child.kill()
    if {child.exitcode for child in children} == {0}:
        return False
    if {*failed} - {-signal.SIGKILL}:
        print(Path(f'{cfg.work_dir}.log').read_text()[-3000:])
        raise RuntimeError(f'a run ended with {failed}')
    return True


def leaves(value: Any, key: str = '') -> Iterator[Tuple[str, Any]]:
    """Yield all values of a checkpoint that have to be the same."""
    name = key.rpartition('.')[2]
    if name.rpartition('/')[2] in UNLIKE or name in ('meta', 'runtime_info'):
        return
    if hasattr(value, 'data') and hasattr(value, 'statistics'):
        value = value.data  # of a history buffer
    items = value.items() if isinstance(
        value, dict) else enumerate(value) if isinstance(value,
                                                         (list,
                                                          tuple)) else None
    if items is None:
        yield key, value
        return
    for inner, part in items:
        yield from leaves(part, f'{key}.{inner}')


def final_state(cfg: Config) -> dict:
    """Everything that a run has left, except clocks and folders."""
    path = Path(cfg.work_dir) / f'epoch_{EPOCHS}.pth'
    state = dict(leaves(torch.load(path, weights_only=True)))
    return {**state, **dict(leaves(dict(curves=read_curves(cfg.work_dir))))}


def same(first: Any, second: Any) -> bool:
    """Whether two values are bit-identical; NaN equals NaN."""
    if torch.is_tensor(first):
        return first.numpy().tobytes() == second.numpy().tobytes()
    if isinstance(first, np.ndarray):
        return first.tobytes() == second.tobytes()
    return repr(first) == repr(second)


def unequal(first: dict, second: dict) -> list:
    """Names of values that differ."""
    return [
        name for name in {
            **first,
            **second
        } if name not in first or name not in second
        or not same(first[name], second[name])
    ]


def campaign(cfg: Config, processes: int, kills: int, seed: int) -> str:
    """Kill and resume a run; returns a row of the table."""
    draw = random.Random(seed)
    root = Path(cfg.work_dir)
    root.mkdir()
    cfg.work_dir = str(root / 'whole')
    begin = time.monotonic()
    if live(cfg, processes):
        raise RuntimeError('the run without interruption was killed')
    duration = time.monotonic() - begin
    wanted = final_state(cfg)
    done, runs, faults = 0, 0, []
    counts = dict.fromkeys(MOMENTS, 0)
    while done < kills:
        runs += 1
        cfg.work_dir = str(root / f'killed_{runs}')
        while True:
            moment = MOMENTS[done % len(MOMENTS)]
            if moment == 'boxes' and 'boxes' not in cfg.default_hooks:
                moment = 'random'
            if done == kills:  # to the end
                killed = live(cfg, processes)
            elif moment == 'random':
                killed = live(
                    cfg, processes, delay=draw.uniform(0.1, 0.7) * duration)
            else:
                killed = live(cfg, processes, moment, count=draw.randint(1, 3))
            if not killed:
                break
            done += 1
            counts[moment] += 1
        faults += unequal(wanted, final_state(cfg))
        shutil.rmtree(cfg.work_dir)
    told = ', '.join(f'{count} {moment}' for moment, count in counts.items()
                     if count)
    result = f'DIFFERS in {len(faults)}: {faults[:3]}' if faults else \
        f'equal, {len(wanted)} values'
    return f'{done} kills ({told}) in {runs} runs | {result} |'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--kills', type=int, default=20, help='of each method')
    parser.add_argument(
        '--methods',
        nargs='+',
        default=[*METHODS, 'ccrop-M', 'share-M', 'device-share-M'],
        help='may begin with ' + ', '.join(f'{name}- ({what})'
                                           for name, what in VARIANTS.items()))
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 2])
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--accumulation', type=int, nargs='+', default=[1, 4])
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    # Each checkpoint has the config, which takes half a second to format.
    config.FormatCode = lambda text, **kwargs: (text, True)
    print('| method | workers | processes | accumulation | '
          'killed and resumed | final state |')
    print('|---|---|---|---|---|---|')
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_digits(root / 'digits')
        for method, workers, processes, accumulate in product(
                args.methods, args.workers, args.processes, args.accumulation):
            cfg = toy_config(method, workers, processes, accumulate, root)
            cfg.work_dir = str(root / 'runs')
            kills = args.kills // len(args.accumulation)
            row = campaign(cfg, processes, kills, args.seed)
            print(
                f'| {method} | {workers} | {processes} | {accumulate} | '
                f'{row}',
                flush=True)
            shutil.rmtree(root / 'runs')


if __name__ == '__main__':
    main()
