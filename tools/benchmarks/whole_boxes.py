"""Why boxes are the whole image: ``whole_boxes.py CONFIG CHECKPOINT...``.

Each row changes one thing in how boxes are found. Columns: mean response of
corner cells, of other cells at the border, and inside, scaled to [0, 1]; share
of cells above 0.1; boxes that are the whole image, and CorLoc, by threshold;
what CorLoc at 'mean' is above that of the same boxes dealt to other images.
"""
import argparse
from typing import Callable, Dict, List

import torch
from mmengine.config import DictAction
from mmengine.logging import MMLogger
from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl.engine.config import load_config
from mmregioncl.engine.messages.quiet import hide_needless_warnings
from mmregioncl.evaluation import load_model, view_size
from mmregioncl.evaluation.localization import whole_image_maps
from mmregioncl.evaluation.objects import images_with_objects, score
from mmregioncl.models.utils import covered, heat_maps, heatmap_to_boxes

THRESHOLDS = (.1, .2, .3, .5, 'mean')


def without_border(maps: Tensor) -> Tensor:
    """The outer cells respond as the weakest inner one."""
    heat = maps.sum(1, keepdim=True)
    inner = heat[..., 1:-1, 1:-1]
    return F.pad(inner - inner.amin((2, 3), keepdim=True), (1, 1, 1, 1))


def from_quantile(maps: Tensor, share: float = .25) -> Tensor:
    """The weakest quarter of the cells counts as the minimum."""
    heat = maps.sum(1, keepdim=True)
    low = heat.flatten(2).quantile(share, 2)[..., None, None]
    return heat.maximum(low)


def centred(maps: Tensor) -> Tensor:
    """Each cell is compared with its mean over all images."""
    heat = maps.sum(1, keepdim=True)
    return heat / heat.mean(0)


VARIANTS: Dict[str, Callable[[Tensor], Tensor]] = {
    'as published':
    lambda maps: maps,
    'L2 norm of the channels':
    lambda maps: maps.norm(dim=1, keepdim=True),
    'strongest channel':
    lambda maps: maps.amax(1, keepdim=True),
    'distance from the mean cell':
    lambda maps: (maps - maps.mean(
        (2, 3), keepdim=True)).norm(dim=1, keepdim=True),
    'weak cells, not strong ones':
    lambda maps: -maps.sum(1, keepdim=True),
    'minimum from 25 % of the cells':
    from_quantile,
    'outer cells left out':
    without_border,
    'cells less their mean over images':
    centred,
    'cells of twice the side':
    lambda maps: F.avg_pool2d(maps, 2),
}


def replicate_borders(model: nn.Module) -> None:
    """Let convolutions repeat the border instead of zeros."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.padding_mode = 'replicate'


def show(name: str, maps: Tensor, side: int, objects: List[Tensor]) -> None:
    """Print a row of the table."""
    size = (side, side)
    grid = maps.shape[2:]
    heat, telling = heat_maps(maps, grid)
    heat = heat[telling]
    border = torch.ones(grid)
    border[1:-1, 1:-1] = 0
    corner = torch.zeros(grid)
    corner[::grid[0] - 1, ::grid[1] - 1] = 1
    means = [(heat.mean(0) * place).sum() / place.sum()
             for place in (corner, border - corner, 1 - border)]
    scores = []
    for threshold in THRESHOLDS:
        boxes, _ = heatmap_to_boxes(maps, size, threshold)
        scores.append(score(covered(boxes, size), objects))
    columns = ([f'{mean:.2f}'
                for mean in means] + [f'{(heat > .1).float().mean():.0%}'] +
               [f'{found.whole:.0%}' for found in scores] +
               [f'{found.corloc:.3f}' for found in scores] +
               [f'{scores[-1].gain:+.3f} ±{scores[-1].gain_error:.3f}'])
    print(f'| {name} | {" | ".join(columns)} |')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Why boxes of ContrastiveCrop are the whole image')
    parser.add_argument('config', help='pre-training config')
    parser.add_argument('checkpoints', nargs='+', metavar='CHECKPOINT')
    parser.add_argument('--images', required=True, metavar='DIR')
    parser.add_argument('--objects', required=True, metavar='FILE')
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--image-size', type=int)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


@torch.no_grad()
def main() -> None:
    args = parse_args()
    hide_needless_warnings()
    MMLogger.get_instance('whole_boxes', log_level='WARNING')
    cfg = load_config(args.config, args.cfg_options)
    side = args.image_size or view_size(cfg)
    dataset, objects = images_with_objects(cfg, args.images, args.objects,
                                           args.count)

    def maps_of(model: nn.Module) -> Tensor:
        batches = whole_image_maps(model, dataset, (side, side), 100, 0)
        return torch.cat([maps for _, maps in batches])

    print(f'{len(dataset)} images at {side}x{side} pixels; standard error of '
          f'CorLoc about {(.25 / len(dataset))**.5:.3f}')
    for checkpoint in args.checkpoints:
        torch.manual_seed(0)
        model = load_model(cfg, None if checkpoint == 'none' else checkpoint)
        maps = maps_of(model)
        print(f'\n{checkpoint}, {maps.shape[2]}x{maps.shape[3]} cells, '
              f'{(maps <= 0).float().mean():.0%} of all activations are 0')
        ends = [
            f'{what} at {t}' for what in ('whole', 'CorLoc')
            for t in THRESHOLDS
        ]
        heads = ['', 'corner', 'edge', 'inside', '> 0.1', *ends, 'gain']
        print(f'\n| {" | ".join(heads)} |\n|{"---|" * len(heads)}')
        for name, variant in VARIANTS.items():
            show(name, variant(maps), side, objects)
        replicate_borders(model)
        show('borders repeated, not zero', maps_of(model), side, objects)


if __name__ == '__main__':
    main()
