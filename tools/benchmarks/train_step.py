"""Time a step of RegionCL against one of its parent in mmselfsup.

Both are built from the same config and take turns in one process. The loss
part is a whole `loss` and its backward with backbone and neck replaced by
constants: region swapping and pooling, losses, queues and moving averages.
"""
import argparse
import multiprocessing
import statistics
from pathlib import Path
from typing import Callable, Dict, List

import torch
from measure import at_least, header, image_size, interleave, pairs, ratio
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from mmregioncl.engine.malloc import keep_freed_memory

BASES = Path(__file__).parents[2].resolve() / 'configs' / '_base_' / 'models'
# The parent's base, and the rows of logits of an image in the parent and in
# ours, where both have some: view, cells, canvas and paste.
METHODS = dict(
    m=('mocov2', 1, 3),
    d=('densecl', 50, 52),
    s=('simsiam', None, None),
    byol=('byol', None, None),
    simclr=('simclr', None, None))
CHANNELS = {18: 512, 34: 512, 50: 2048, 101: 2048}  # of the last stage


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n')[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--method', choices=METHODS, default='m')
    parser.add_argument(
        '--depth', type=int, choices=CHANNELS, default=50, help='of ResNet')
    parser.add_argument('--batch', type=pairs, default=16)
    parser.add_argument('--queue', type=at_least(1), default=65536)
    parser.add_argument('--size', type=image_size, default=224)
    parser.add_argument('--repeats', type=at_least(1), default=7)
    parser.add_argument(
        '--region-share',
        type=float,
        help='of images that are shown as composites instead of whole')
    parser.add_argument('--dtype', choices=['fp32', 'bf16'], default='fp32')
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument(
        '--loss-part', action='store_true', help='leave the whole step out')
    parser.add_argument(
        '--return-memory',
        action='store_true',
        help='let the C library return freed memory to the system while steps '
        'are timed, as it does unless tools/train.py trains on a CPU')
    return parser.parse_args()


def model_cfg(method: str, name: str = 'ours') -> dict:
    """Config of the ResNet-50 model of ours or of the parent, as published."""
    parent = METHODS[method][0]
    base = dict(
        parent=f'mmselfsup::selfsup/_base_/models/{parent}.py',
        ours=str(BASES / f'regioncl-{method}.py'))[name]
    return Config.fromstring(f'_base_ = {base!r}', '.py').model


def build(name: str, args: argparse.Namespace) -> nn.Module:
    """The model of ours or of the parent."""
    cfg = model_cfg(args.method, name)
    cfg.backbone.depth = args.depth
    cfg.neck.in_channels = CHANNELS[args.depth]
    if 'queue_len' in cfg:
        cfg.queue_len = args.queue
    if name == 'ours':
        cfg.region_share = args.region_share
    torch.manual_seed(0)
    return MODELS.build(cfg).to(args.device).train()


def noise(args: argparse.Namespace) -> List[Tensor]:
    """Two views."""
    return [
        torch.randn(args.batch, 3, args.size, args.size, device=args.device)
        for _ in range(2)
    ]


def losses(model: nn.Module, views: List[Tensor],
           args: argparse.Namespace) -> Tensor:
    with torch.autocast(
            args.device, torch.bfloat16, enabled=args.dtype == 'bf16'):
        return sum(model.loss(views, []).values())


def step_of(model: nn.Module, args: argparse.Namespace) -> Callable[[], None]:
    """A whole train step on views of noise."""
    views = noise(args)
    optim = torch.optim.SGD(model.parameters(), 0.03, 0.9, weight_decay=1e-4)

    def step() -> None:
        loss = losses(model, views, args)
        optim.zero_grad()
        loss.backward()
        optim.step()

    return step


def loss_part_of(model: nn.Module,
                 args: argparse.Namespace) -> Callable[[], None]:
    """The same without the work of backbone and neck."""
    views = noise(args)
    cells = args.size // 32
    maps = torch.randn(
        2 * args.batch, CHANNELS[args.depth], cells, cells, device=args.device)
    with torch.no_grad():  # constants of the right shapes, for all calls
        outputs = [
            part.detach().requires_grad_() for part in model.neck([maps])
        ]
    maps.requires_grad_()

    def neck(features: list) -> list:
        return [part[:len(features[0])] for part in outputs]

    model.backbone.forward = lambda images: (maps[:len(images)], )
    model.neck.forward = neck
    for average in ('encoder_k', 'target_net', 'momentum_encoder'):
        if hasattr(model, average):
            backbone, average_neck = getattr(model, average).module
            backbone.forward, average_neck.forward = (model.backbone.forward,
                                                      neck)
    if hasattr(model.neck, 'mlp2'):  # RegionDenseCLNeck calls its branch
        model.neck.mlp.forward = lambda pooled: neck([pooled])[0]

    def step() -> None:
        losses(model, views, args).backward()

    return step


def times_of(make: Callable, args: argparse.Namespace) -> Dict[str, list]:
    """Interleaved times of the parent and of ours."""
    return interleave(
        {name: make(build(name, args), args)
         for name in ('parent', 'ours')}, args.repeats, args.device)


def memory(field: str) -> float:
    """A field of the process' memory in MiB."""
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{field}:')[1].split()[0]) / 2**10


def prepare() -> None:
    """What models expect from a run."""
    init_default_scope('mmregioncl')
    MMLogger.get_instance('train_step').setLevel('ERROR')
    MessageHub.get_current_instance().update_info('max_iters', 10**6)


def peak_mib(name: str, loss_part: bool, args: argparse.Namespace) -> float:
    """Peak memory of a step, in MiB.

    A whole step with its model; the loss part on top of what is there before.
    On a GPU what PyTorch allocated, on the CPU what the process took.
    """
    cuda = args.device == 'cuda'

    def held() -> float:
        return torch.cuda.memory_allocated() / 2**20 if cuda else memory(
            'VmRSS')

    prepare()
    before = held()
    step = (loss_part_of if loss_part else step_of)(build(name, args), args)
    step()
    if loss_part:
        before = held()
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            Path('/proc/self/clear_refs').write_text('5')  # the mark VmHWM
    step()
    most = torch.cuda.max_memory_allocated() / 2**20 if cuda \
        else memory('VmHWM')
    return most - before


def peaks_of(loss_part: bool, args: argparse.Namespace) -> Dict[str, list]:
    """Peak memory of the parent and of ours, each in a new process.

    A process without a GPU is a fork, which imports nothing again. It must be
    made before there are models and threads here.
    """
    method = 'spawn' if args.device == 'cuda' else 'fork'
    context = multiprocessing.get_context(method)
    peaks = {}
    for name in ('parent', 'ours'):
        with context.Pool(1) as pool:
            peaks[name] = [pool.apply(peak_mib, (name, loss_part, args))]
    return peaks


def row(title: str, times: Dict[str, list]) -> str:
    """One line of the table: medians, their ratio pair by pair, its range."""
    parent, ours = times.values()
    return (f'{title:22} {statistics.median(parent):9.4f} '
            f'{statistics.median(ours):9.4f} {ratio(ours, parent)}')


def main() -> None:
    args = parse_args()
    prepare()
    for name in ('parent', 'ours'):  # imports them
        MODELS.get(model_cfg(args.method, name).type)
    whole_peaks = None if args.loss_part else peaks_of(False, args)
    loss_peaks = peaks_of(True, args)

    if not args.return_memory:
        keep_freed_memory()
    parent, parent_rows, our_rows = METHODS[args.method]
    print(header(args.device, 'mmselfsup'))
    print(f'ResNet-{args.depth}, {args.size} px, batch {args.batch}, queue '
          f'{args.queue}, {args.dtype}; medians of {args.repeats} interleaved '
          'repeats\n')
    if args.region_share:
        parent_rows = None  # rows of whole views and of regions are mixed
        print(f'RegionCL with region_share={args.region_share}\n')
    print(f'{"":22} {parent:>9} {"RegionCL":>9}  ratio')
    if whole_peaks:
        print(row('step, s', times_of(step_of, args)))
        print(row('peak memory, MiB', whole_peaks))
    times = times_of(loss_part_of, args)
    print(row('loss part, s', times))
    if parent_rows:
        for name, rows in zip(times, (parent_rows, our_rows)):
            times[name] = [1e6 * t / rows / args.batch for t in times[name]]
        print(row('  per row, us', times))
    print(row('loss part memory, MiB', loss_peaks))


if __name__ == '__main__':
    main()
