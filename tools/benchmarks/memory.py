"""Peak memory of a RegionCL step, in the arrangement published and in ours.

Nothing is computed: tensors lie on PyTorch's meta device, where they have a
size and no content, so that any batch fits on any machine. The published
arrangement forms all logits, concatenates positives and negatives, and clones
the queue; it replaces our losses, and all else is the same. (A
test counts a step on a CPU by PyTorch's allocator, and finds as much.)
"""
import argparse
from copy import deepcopy
from types import SimpleNamespace
from typing import Optional

import torch
from measure import header, image_size, pairs
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn
from train_step import model_cfg

from mmregioncl.engine.step_memory import Meter
from mmregioncl.hooks import GradientCheckpointHook
from mmregioncl.models.heads import region_contrastive_head
from mmregioncl.models.utils import Region, swap_region

REGION = Region(1, 1, 4, 4)


def published_info_nce(query: Tensor,
                       positive: Tensor,
                       queue: Tensor,
                       temperature: float,
                       extra: Optional[Tensor] = None) -> Tensor:
    """Cross entropy of all logits in one matrix, of a clone of the queue."""
    logits = [
        torch.einsum('nc,nc->n', query, positive)[:, None],
        torch.einsum('nc,ck->nk', query,
                     queue.clone().detach())
    ]
    if extra is not None:
        logits.append(torch.einsum('nc,nc->n', query, extra)[:, None])
    logits = torch.cat(logits, 1) / temperature
    target = torch.zeros(len(logits), dtype=torch.long, device=query.device)
    return nn.functional.cross_entropy(logits, target)


def peak_gib(method: str, batch: int, size: int, way: str) -> float:
    """Peak memory of one step."""
    ours = region_contrastive_head.info_nce
    if way == 'published':
        region_contrastive_head.info_nce = published_info_nce
    try:
        model = MODELS.build(deepcopy(model_cfg(method))).train().to('meta')
        with Meter() as meter:
            for value in (*model.parameters(), *model.buffers()):
                meter.note(value)
            # A count without a value cannot be read.
            model.encoder_k.count = 1
            model.region_swap = lambda views: (swap_region(
                views, REGION.scale(32)), REGION)
            if way == 'checkpoints':
                GradientCheckpointHook().before_train(
                    SimpleNamespace(model=model))
            optim = torch.optim.SGD(
                model.parameters(), 0.03, 0.9, weight_decay=1e-4)
            for _ in range(2):  # momentum is there in the second
                views = [
                    torch.empty(batch, 3, size, size, device='meta')
                    for _ in range(2)
                ]
                loss = sum(model.loss(views, []).values())
                optim.zero_grad()
                loss.backward()
                optim.step()
                del loss
    finally:
        region_contrastive_head.info_nce = ours
    return meter.peak / 2**30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--batches', type=pairs, nargs='+', default=[32, 128])
    parser.add_argument('--size', type=image_size, default=224)
    args = parser.parse_args()
    init_default_scope('mmregioncl')
    MMLogger.get_instance('memory', log_level='ERROR')
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    print(header('cpu', 'mmselfsup'))
    print(f'GiB at the peak of a step, ResNet-50, {args.size} px, float32, '
          'queue 65536\n')
    print(f'{"":22} losses as  ours      with gradient\n'
          f'{"":22} published            checkpoints')
    for method in ('m', 'd'):
        for batch in args.batches:
            peaks = [
                peak_gib(method, batch, args.size, way)
                for way in ('published', 'ours', 'checkpoints')
            ]
            title = f'RegionCL-{method.upper()}, batch {batch}'
            print('{:22} {:9.2f} {:9.2f} {:9.2f}'.format(title, *peaks))


if __name__ == '__main__':
    main()
