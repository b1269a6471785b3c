"""What ShuffleBN hands to collectives and takes, by images and statistics.

A train step of RegionCL-M and -D on several processes, each way in turn, with
ResNet-50. The losses are the same, and are compared.
"""
import argparse
import statistics
from functools import partial
from itertools import product
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List

import torch
from measure import at_least, header, image_size, interleave, pairs, ratio
from mmengine.logging import MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODELS, init_default_scope
from torch import distributed, multiprocessing
from train_step import model_cfg

from mmregioncl.engine.memory import keep_freed_memory

WAYS = ('images', 'statistics')
DTYPES = ('float32', 'bfloat16')
CALLS = ('all_to_all_single', 'all_gather', 'all_reduce')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--processes',
        type=at_least(2),
        default=max(2, torch.cuda.device_count()))
    parser.add_argument(
        '--batch', type=pairs, default=8, help='of each process')
    parser.add_argument('--size', type=image_size, default=224)
    parser.add_argument('--repeats', type=at_least(1), default=5)
    parser.add_argument(
        '--dtypes',
        nargs='+',
        choices=DTYPES,
        default=list(DTYPES),
        help='bfloat16 by autocast, with channels last')
    return parser.parse_args()


def count_bytes(sent: List[int]) -> None:
    """Note what each collective is handed from now on."""

    def call(send: Callable, position: int, *args, **kwargs):
        sent.append(args[position].nbytes)
        return send(*args, **kwargs)

    for name in CALLS:
        send = getattr(distributed, name)
        setattr(distributed, name,
                partial(call, send, 0 if name == 'all_reduce' else 1))


def step_of(method: str, way: str, dtype: str, args: argparse.Namespace,
            device: torch.device) -> Callable[[], float]:
    """A whole train step on views of noise, which gives its loss."""
    cfg = dict(model_cfg(method), queue_len=4096, shuffle_bn=way)
    torch.manual_seed(0)
    model = MODELS.build(cfg).to(device).train()
    half = dtype == 'bfloat16'
    if half:
        model.to(memory_format=torch.channels_last)
    model.orders = torch.Generator().manual_seed(0)  # the same for both
    model = MMDistributedDataParallel(
        model,
        broadcast_buffers=False,  # as MMEngine does
        device_ids=[device.index] if device.type == 'cuda' else None)
    optim = torch.optim.SGD(model.parameters(), 0.03, 0.9, weight_decay=1e-4)
    noise = torch.Generator().manual_seed(distributed.get_rank())
    views = [
        torch.randn(args.batch, 3, args.size, args.size,
                    generator=noise).to(device) for _ in range(2)
    ]

    def step() -> float:
        torch.manual_seed(1)  # of the region
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = sum(model(views, mode='loss').values())
        optim.zero_grad()
        loss.backward()
        optim.step()
        return float(loss.detach())

    return step


def run(rank: int, args: argparse.Namespace, store: str) -> None:
    """One of the processes; the first prints the table."""
    cuda = torch.cuda.device_count() >= args.processes
    device = torch.device('cuda', rank) if cuda else torch.device('cpu')
    if cuda:
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(1)
    distributed.init_process_group(
        'nccl' if cuda else 'gloo',
        init_method=f'file://{store}',
        rank=rank,
        world_size=args.processes)
    init_default_scope('mmselfsup')
    MMLogger.get_instance('shuffle', log_level='ERROR')
    keep_freed_memory()
    show = print if rank == 0 else lambda *_: None
    show(header(device.type, 'mmselfsup'))
    show(f'ResNet-50, {args.size} px, {args.processes} processes of batch '
         f'{args.batch}; medians of {args.repeats} interleaved repeats. MiB '
         'handed to\ncollectives by each process in a step, but for '
         'gradients. bfloat16 with channels last.\n')
    show(f'{"":20} {"MiB, images":>12} {"statistics":>11} '
         f'{"s, images":>10} {"statistics":>11}  images / statistics')
    sent: List[int] = []
    count_bytes(sent)
    for dtype, method in product(args.dtypes, ('m', 'd')):
        bytes_sent: Dict[str, int] = {}
        losses: Dict[str, float] = {}
        steps = {}
        for way in WAYS:
            steps[way] = step_of(method, way, dtype, args, device)
            sent.clear()
            losses[way] = steps[way]()
            bytes_sent[way] = sum(sent)
        exact = dtype == 'float32' and not cuda  # no TensorFloat-32
        torch.testing.assert_close(
            *losses.values(), rtol=1e-5 if exact else 1e-2, atol=0)
        times = interleave(steps, args.repeats, device.type)
        show(f'{"-" + method.upper() + ", " + dtype:20} '
             f'{bytes_sent["images"] / 2**20:12.2f} '
             f'{bytes_sent["statistics"] / 2**20:11.2f} '
             f'{statistics.median(times["images"]):10.3f} '
             f'{statistics.median(times["statistics"]):11.3f} '
             f'{ratio(*times.values())}')
    distributed.destroy_process_group()


def main() -> None:
    args = parse_args()
    with TemporaryDirectory() as folder:
        multiprocessing.spawn(run, (args, f'{folder}/store'), args.processes)


if __name__ == '__main__':
    main()
