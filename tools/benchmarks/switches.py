"""Train with each switch of the step, and with all, side by side.

RegionCL-M on a ResNet-18 for small images. All variants start from the same
weights and see the same batches and regions in turn, so that their losses can
be compared, and their times are interleaved.
"""
import argparse
import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Callable, Dict, List

import numpy as np
import torch
from measure import at_least, header, pairs
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DATASETS, MODELS, TRANSFORMS, init_default_scope
from mmengine.runner import set_random_seed
from sklearn.datasets import load_digits
from torch import Tensor, nn

from mmregioncl import host
from mmregioncl.engine.malloc import keep_freed_memory
from mmregioncl.hooks import (ChannelsLastHook, CompileHook,
                              GradientCheckpointHook)
from mmregioncl.models.utils import preprocess

CONFIG = (
    Path(__file__).parents[2] / 'configs' / 'regioncl' /
    'regioncl-m_resnet18_1xb512-coslr-200e_cifar10.py')
SWITCHES: Dict[str, tuple] = {
    'float32': (),
    'float32, weights 1e-7 off': ('nudged', ),
    'bfloat16': ('bfloat16', ),
    'channels last': ('channels last', ),
    'foreach': ('foreach', ),
    'fused': ('fused', ),
    'compiled': ('compiled', ),
    'gradient checkpoints': ('checkpoints', ),
    'bfloat16, channels last': ('bfloat16', 'channels last'),
    'all but checkpoints': ('bfloat16', 'channels last', 'fused', 'compiled'),
}
ON_CUDA: Dict[str, tuple] = {
    'float16': ('float16', ),
    'cudnn benchmark': ('cudnn', ),
    'all with cudnn benchmark':
    ('bfloat16', 'channels last', 'fused', 'compiled', 'cudnn'),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--cifar10', metavar='DIR', help="(default: scikit-learn's digits)")
    parser.add_argument(
        '--rows',
        nargs='+',
        metavar='ROW',
        help=f'of the table, beside float32: {", ".join(SWITCHES)}')
    parser.add_argument('--steps', type=at_least(10), default=100)
    parser.add_argument('--batch', type=pairs, default=16)
    parser.add_argument(
        '--width', type=at_least(8), default=64, help='of the first stage')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    args = parser.parse_args()
    if args.device == 'cuda':
        SWITCHES.update(ON_CUDA)
    for row in args.rows or []:
        if row not in SWITCHES:
            parser.error(f'no row {row!r}: choose from {list(SWITCHES)}')
    return args


def batches(args: argparse.Namespace) -> List[List[Tensor]]:
    """Two views of images, normalized, for each step."""
    cfg = Config.fromfile(CONFIG)
    count = args.steps * args.batch
    preprocessor = MODELS.build(cfg.model.data_preprocessor)
    if args.cifar10:
        dataset = dict(cfg.train_dataloader.dataset, data_prefix=args.cifar10)
        dataset = DATASETS.build(dataset)
        rows = [dataset[row % len(dataset)]['inputs'] for row in range(count)]
    else:
        views, pack = map(TRANSFORMS.build,
                          cfg.train_dataloader.dataset.pipeline)
        images = load_digits().images.repeat(4, 1).repeat(4, 2)  # (M, 32, 32)
        images = np.uint8(images * 15)[..., None].repeat(3, -1)
        rows = [
            pack(views(dict(img=images[row % len(images)])))['inputs']
            for row in range(count)
        ]
    found = []
    for start in range(0, count, args.batch):
        inputs = [
            torch.stack(view) for view in zip(*rows[start:start + args.batch])
        ]
        inputs, _ = preprocess(preprocessor,
                               dict(inputs=inputs, data_samples=[]))
        found.append([view.to(args.device) for view in inputs])
    return found


def build(switches: tuple, args: argparse.Namespace) -> Callable:
    """A function that makes a step on a batch, and returns its loss."""
    torch.manual_seed(0)
    cfg = Config.fromfile(CONFIG).model
    cfg.update(queue_len=2048)
    cfg.backbone.update(stem_channels=args.width, base_channels=args.width)
    cfg.neck.update(in_channels=8 * args.width, hid_channels=8 * args.width)
    model: nn.Module = MODELS.build(cfg).to(args.device).train()
    if 'nudged' in switches:  # how far only rounding leads
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(1 + 1e-7 * torch.randn_like(weight))
    runner = SimpleNamespace(model=model)
    for name, hook in {
            'channels last': ChannelsLastHook,
            'compiled': CompileHook,
            'checkpoints': GradientCheckpointHook
    }.items():
        if name in switches:
            hook().before_train(runner)
    optim = torch.optim.SGD(
        model.parameters(),
        0.06,
        0.9,
        weight_decay=5e-4,
        foreach='foreach' in switches,
        fused='fused' in switches)
    autocast = nullcontext()
    for name in ('bfloat16', 'float16'):
        if name in switches:
            autocast = torch.autocast(args.device, getattr(torch, name))
    scaler = torch.amp.GradScaler(args.device, enabled='float16' in switches)

    def step(views: List[Tensor], seed: int) -> Tensor:
        torch.backends.cudnn.benchmark = 'cudnn' in switches
        torch.manual_seed(seed)  # of the region
        with autocast:
            loss = sum(model.loss(views, []).values())
        optim.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optim)
        scaler.update()
        return loss.detach()

    return step


def main() -> None:
    args = parse_args()
    init_default_scope('mmregioncl')
    MMLogger.get_instance('switches', log_level='ERROR')
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    keep_freed_memory()
    set_random_seed(0)  # of the views
    data = batches(args)
    rows = ['float32', *(args.rows or [*SWITCHES][1:])]
    steps = {row: build(SWITCHES[row], args) for row in rows}
    times: Dict[str, List[float]] = {name: [] for name in steps}
    losses: Dict[str, List[float]] = {name: [] for name in steps}
    for number, views in enumerate(data):
        for name, step in steps.items():
            start = time.perf_counter()
            losses[name].append(float(step(views, number)))
            times[name].append(time.perf_counter() - start)
    print(header(args.device, host.NAME))
    width = '' if args.width == 64 else f' of width {args.width}'
    print(f'RegionCL-M, ResNet-18{width} for 32 px, batch '
          f'{args.batch}, {"CIFAR-10" if args.cifar10 else "digits"}; medians '
          f'of {args.steps} steps less the first 5, in turn\n')
    ends = [step for step in (10, 25, 50, 75, 100) if step <= args.steps]
    print(f'{"":26} {"s a step":>8}  times as fast (middle half)   mean loss '
          f'of ten steps to {", ".join(map(str, ends))}')
    plain = times['float32'][5:]
    for name, values in times.items():
        values = values[5:]
        ratios = sorted(a / b for a, b in zip(plain, values))
        quarter = len(ratios) // 4
        middle = ratios[quarter:len(ratios) - quarter]
        spread = (f'{statistics.median(ratios):6.2f} ({middle[0]:.2f} to '
                  f'{middle[-1]:.2f})')
        curve = ' '.join(f'{statistics.mean(losses[name][end - 10:end]):8.4f}'
                         for end in ends)
        print(f'{name:26} {statistics.median(values):8.4f} {spread:25} '
              f'{curve}')
    print('\nfurthest from float32 in any step: ' + ', '.join(
        f'{name} '
        f'{np.abs(np.subtract(values, losses["float32"])).max():.4f}'
        for name, values in losses.items() if name != 'float32'))


if __name__ == '__main__':
    main()
