from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import mmcv
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DATASETS, TRANSFORMS
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmregioncl.datasets.box_store import innermost
from mmregioncl.datasets.transforms import (ContrastiveCrop, loading_steps,
                                            steps_of)
from mmregioncl.evaluation import load_model, view_size
from mmregioncl.models.utils import feature_map, heat_maps, heatmap_to_boxes
from .view_sheet import save


def browse_boxes(cfg: Config,
                 checkpoint: Optional[str],
                 path: Union[str, Path],
                 count: int = 8,
                 crops: int = 12,
                 threshold: Optional[float] = None,
                 alpha: Optional[float] = None) -> None:
    """Draw what a model responds to in training images, and crop by it.

    Images are drawn at random, boxes are found as
    ``SemanticLocalizationHook`` does.

    Args:
        cfg (Config): Any pre-training config.
        checkpoint (str, optional): Weights of its model, or None for random
            ones. One that ContrastiveCrop wrote also tells how boxes changed
            over training.
        path (str or Path): PNG file to write.
        count (int): Images. Defaults to 8.
        crops (int): Crops of each image. Defaults to 12.
        threshold (float, optional): Defaults to None, that of the config or
            else of the hook.
        alpha (float, optional): Defaults to None, that of the config or else
            of the transform.
    """
    model = load_model(cfg, checkpoint)
    part = next(innermost(DATASETS.build(cfg.train_dataloader.dataset)))
    load = Compose(loading_steps(part.pipeline))
    crop = crop_of(steps_of(part.pipeline), view_size(cfg), alpha)
    hook = cfg.get('default_hooks', {}).get('boxes', {})
    if threshold is None:
        threshold = hook.get('threshold', 0.1)
    image_size = tuple(hook.get('image_size') or crop.size)

    rows = []
    for index in np.random.permutation(len(part))[:count]:
        image = load(part.get_data_info(index))['img']  # (H, W, 3)
        heat, box = respond(model, image, image_size, threshold)
        if model.data_preprocessor._channel_conversion:
            image = image[..., ::-1]
        drawn = [crop.draw_crop(image.shape[:2], box) for _ in range(crops)]
        rows.append((image, heat, box, drawn))

    state = {}
    if checkpoint is not None:
        state = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
    box_sheet(path, rows, state.get('ccrop', {}).get('histograms', {}))


def crop_of(steps: list, size: int, alpha: Optional[float]) -> ContrastiveCrop:
    """The crop of a pipeline, as a ContrastiveCrop in any case."""
    crop = next((s for s in steps if isinstance(s, ContrastiveCrop)), None)
    if crop is None:
        crop = TRANSFORMS.build(
            dict(
                type='mmregioncl.ContrastiveCrop', size=size, scale=(0.2, 1.)))
    if alpha is not None:
        crop.alpha = alpha
    return crop


@torch.no_grad()
def respond(model: nn.Module, image: np.ndarray, image_size: Tuple[int, int],
            threshold: float) -> Tuple[np.ndarray, Tuple[float, ...]]:
    """Heat map (h, w) and box of one image (H, W, 3)."""
    resized = mmcv.imresize(image, image_size[::-1], backend='pillow')
    view = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
    inputs, _ = model.data_preprocessor(
        dict(inputs=[view[None]], data_samples=[]))
    maps = feature_map(model(inputs, mode='tensor'))
    heat, _ = heat_maps(maps, image_size)
    boxes, _ = heatmap_to_boxes(maps, image_size, threshold)
    return heat[0].cpu().numpy(), tuple(boxes[0].tolist())


def box_sheet(path: Union[str, Path], rows: List[tuple],
              histograms: Dict[int, List[int]]) -> None:
    """Draw images with heat map, box and crops, and areas over training.

    Args:
        path (str or Path): PNG file to write.
        rows (list[tuple]): Image (H, W, 3) uint8 RGB; heat map (h, w); box
            as top, left, bottom and right in fractions; crops as top, left,
            height and width in pixels.
        histograms (dict[int, list[int]]): Images by the area of their box, in
            bins from 0 to 1, after an epoch. May be empty.
    """
    lines = -(-len(rows) // 2)
    height = 1.5 * lines + (2.2 if histograms else 0)
    figure = Figure(figsize=(9, height + 0.3), layout='constrained')
    parts = figure.subfigures(
        1 + bool(histograms),
        1,
        height_ratios=[1.5 * lines, 2.2][:1 + bool(histograms)],
        squeeze=False)[:, 0]
    axes = parts[0].subplots(lines, 6, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for number, (image, heat, box, crops) in enumerate(rows):
        first = 3 * (number % 2)
        triple = axes[number // 2, first:first + 3]
        rows_, columns = image.shape[:2]
        edge = (0, columns, rows_, 0)  # in pixels, for all three alike
        for ax in triple:
            ax.imshow(image, extent=edge)
        triple[1].imshow(heat, cmap='inferno', alpha=0.7, extent=edge)
        top, left, bottom, right = np.multiply(box, (rows_, columns) * 2)
        for ax in triple[1:]:
            ax.add_patch(
                Rectangle((left, top),
                          right - left,
                          bottom - top,
                          fill=False,
                          color='lime',
                          linewidth=1.8))
        for top, left, tall, wide in crops:
            triple[2].add_patch(
                Rectangle((left, top),
                          wide,
                          tall,
                          fill=False,
                          color='white',
                          linewidth=0.7))
            triple[2].plot(left + wide / 2, top + tall / 2, 'r.', markersize=3)
    for ax, title in zip(axes[0], ('image', 'response, box', 'crops') * 2):
        ax.set_title(title, fontsize=9)

    if histograms:
        ax = parts[1].subplots()
        counts = np.array([histograms[key] for key in sorted(histograms)])
        shares = counts / counts.sum(1, keepdims=True)  # (epochs, bins)
        edges = np.linspace(0, 1, counts.shape[1] + 1)
        for share, epoch in zip(shares, sorted(histograms)):
            ax.stairs(share, edges, label=f'after epoch {epoch}')
        ax.set_xlabel('area of the box')
        ax.set_ylabel('share of images')
        ax.legend(fontsize=8)
    save(figure, path)
