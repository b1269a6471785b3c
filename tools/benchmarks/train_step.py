"""Time a step of RegionCL-M against one of mmselfsup's MoCo v2.

Both are built from the same config and take turns in one process. The loss
part is a whole `loss` and its backward with backbone and neck replaced by
constants: region swapping and pooling, losses, queue and moving average.
"""
import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Callable, Dict

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmregioncl.engine.memory import keep_freed_memory

BASES = Path(__file__).parents[2].resolve() / 'configs' / '_base_' / 'models'
CONFIGS = {
    'MoCo v2': 'mmselfsup::selfsup/_base_/models/mocov2.py',
    'RegionCL-M': str(BASES / 'regioncl-m.py')
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--queue', type=int, default=65536)
    parser.add_argument('--size', type=int, default=224)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--dtype', choices=['fp32', 'bf16'], default='fp32')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--return-memory',
        action='store_true',
        help='let the C library return freed memory to the system, as it does '
        'unless tools/train.py trains on a CPU')
    # In a process of its own, for the memory of one model alone
    parser.add_argument('--peak', choices=CONFIGS, help=argparse.SUPPRESS)
    return parser.parse_args()


def build(name: str, args: argparse.Namespace) -> nn.Module:
    """The ResNet-50 model of a name, with its published settings."""
    cfg = Config.fromstring(f'_base_ = {CONFIGS[name]!r}', '.py').model
    cfg.queue_len = args.queue
    torch.manual_seed(0)
    return MODELS.build(cfg).to(args.device).train()


def step_of(model: nn.Module, args: argparse.Namespace) -> Callable[[], None]:
    """A whole train step on views of noise."""
    views = torch.randn(
        2, args.batch, 3, args.size, args.size, device=args.device)
    optim = torch.optim.SGD(model.parameters(), 0.03, 0.9, weight_decay=1e-4)

    def step() -> None:
        with torch.autocast(
                args.device, torch.bfloat16, enabled=args.dtype == 'bf16'):
            losses = model(list(views), mode='loss')
        optim.zero_grad()
        sum(losses.values()).backward()
        optim.step()

    return step


def loss_part_of(model: nn.Module,
                 args: argparse.Namespace) -> Callable[[], None]:
    """The same without the work of backbone and neck."""
    views = torch.randn(
        2, args.batch, 3, args.size, args.size, device=args.device)
    cells = args.size // 32
    maps = torch.randn(
        args.batch, 2048, cells, cells, device=args.device).requires_grad_()
    vectors = torch.randn(2 * args.batch, 128, device=args.device)
    vectors.requires_grad_()

    def neck(features: list) -> list:
        return [vectors[:len(features[0])]]

    model.backbone.forward = lambda images: (maps, )
    model.neck.forward = neck
    model.encoder_k.module.forward = lambda images: neck([images])

    def step() -> None:
        with torch.autocast(
                args.device, torch.bfloat16, enabled=args.dtype == 'bf16'):
            losses = model(list(views), mode='loss')
        sum(losses.values()).backward()

    return step


def seconds(step: Callable[[], None], device: str) -> float:
    """Wall time of one call, to the end of its work on the device."""
    if device == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interleave(steps: Dict[str, Callable[[], None]],
               args: argparse.Namespace) -> Dict[str, list]:
    """Times of each step in turn, after one round that does not count."""
    times = {name: [] for name in steps}
    for _ in range(args.repeats + 1):
        for name, step in steps.items():
            times[name].append(seconds(step, args.device))
    return {name: values[1:] for name, values in times.items()}


def peak_mib(args: argparse.Namespace) -> float:
    """Most memory that two steps of one model need, in MiB.

    On a GPU what PyTorch allocated; on the CPU the resident set of a whole
    process, Python and libraries included.
    """
    step = step_of(build(args.peak, args), args)
    step(), step()
    if args.device == 'cuda':
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path('/proc/self/status').read_text()
    return int(status.split('VmHWM:')[1].split()[0]) / 2**10


def row(title: str, times: Dict[str, list]) -> str:
    """One line of the table: medians, their ratio pair by pair, its range."""
    moco, ours = times.values()
    ratios = [b / a for a, b in zip(moco, ours)]
    return (f'{title:22} {statistics.median(moco):9.4f} '
            f'{statistics.median(ours):9.4f}   {statistics.median(ratios):.2f}'
            f'  ({min(ratios):.2f} to {max(ratios):.2f})')


def main() -> None:
    args = parse_args()
    init_default_scope('mmselfsup')
    MMLogger.get_instance('train_step', log_level='ERROR')
    if not args.return_memory:
        keep_freed_memory()
    if args.peak:
        print(peak_mib(args))
        return

    device = torch.cuda.get_device_name() if args.device == 'cuda' else (
        f'{platform.processor() or platform.machine()}, '
        f'{torch.get_num_threads()} threads')
    print(f'{date.today()}  python {" ".join(sys.argv)}\n'
          f'torch {torch.__version__}, python {platform.python_version()}, '
          f'{device}\nResNet-50, {args.size} px, batch {args.batch}, queue '
          f'{args.queue}, {args.dtype}; medians of {args.repeats} interleaved '
          'repeats\n')
    print(f'{"":22} {"MoCo v2":>9} {"RegionCL-M":>10}  ratio')
    for title, make in (('step, s', step_of), ('loss part, s', loss_part_of)):
        times = interleave(
            {name: make(build(name, args), args)
             for name in CONFIGS}, args)
        print(row(title, times))
    # Three rows of logits for an image (view, canvas, paste) instead of one
    print(
        row(
            'loss part per row, s', {
                'MoCo v2': times['MoCo v2'],
                'RegionCL-M': [value / 3 for value in times['RegionCL-M']]
            }))
    peaks = {
        name: [
            float(
                subprocess.run([sys.executable, *sys.argv, '--peak', name],
                               env=os.environ,
                               capture_output=True,
                               text=True,
                               check=True).stdout)
        ]
        for name in CONFIGS
    }
    print(row('peak memory, MiB', peaks))


if __name__ == '__main__':
    main()
