from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional, Tuple, Union

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import (DATASETS, MODELS, TRANSFORMS, VISUALIZERS,
                               init_default_scope)
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmselfsup.datasets.transforms import RandomResizedCrop
from torch import nn

from mmregioncl.datasets.box_store import attach_boxes, innermost
from mmregioncl.datasets.transforms import (ContrastiveCrop, check_alpha,
                                            loading_steps, steps_of)
from mmregioncl.engine.hooks import SemanticLocalizationHook
from mmregioncl.engine.localization import whole_image_steps
from mmregioncl.evaluation import load_model
from mmregioncl.models.utils import feature_map, heat_maps, heatmap_to_boxes
from mmregioncl.registry import HOOKS
from .sheets import box_sheet, row_sheet, to_images, view_sheet


def fit_region_swap(backbone: nn.Module, size: Tuple[int, int]) -> dict:
    """RegionSwap for a backbone at a size of image, with regions as official.

    Official regions have 3 to 5 of 7 cells to a side; other grids get the
    nearest numbers, such as 2 to 3 of 4.

    Args:
        backbone (nn.Module): With one feature map as output.
        size (tuple[int, int]): Height and width of the images in pixels.

    Returns:
        dict: Config of the transform.
    """
    backbone.eval()
    with torch.no_grad():
        grid = backbone(torch.zeros(1, 3, *size))[-1].shape[-2:]
    cells = min(grid)
    return dict(
        type='mmregioncl.RegionSwap',
        size=(max(1, round(cells * 3 / 7)), max(1, round(cells * 5 / 7))),
        stride=size[0] // grid[0])


def check_count(count: int) -> None:
    if count < 1:
        raise ValueError(
            f'count={count} images make no sheet: draw at least 1')


def browse_views(cfg: Config, path: str, count: int = 8) -> None:
    """Draw views and composites of a batch, as training makes them.

    A method without region swapping gets regions that fit its backbone.

    Args:
        cfg (Config): Any config of two views.
        path (str): PNG file to write.
        count (int): Number of images, even. Defaults to 8.
    """
    check_count(count)
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    loader = Runner.build_dataloader(
        dict(
            cfg.train_dataloader,
            batch_size=count,
            drop_last=False,
            num_workers=0,
            persistent_workers=False))
    attach_boxes(loader.dataset, (1, 1))  # none until training finds them
    preprocessor = dict(
        dict(type='mmselfsup.SelfSupDataPreprocessor'),
        **cfg.model.get('data_preprocessor', {}))
    preprocessor = MODELS.build(preprocessor)
    (view_q, view_k), _ = preprocessor(next(iter(loader)))

    region_swap = cfg.model.get('region_swap')
    if region_swap is None and 'RegionCL' in cfg.model.type:
        region_swap = dict(type='mmregioncl.RegionSwap')
    elif region_swap is None:
        region_swap = fit_region_swap(
            MODELS.build(cfg.model.backbone), view_q.shape[-2:])
    region_swap = TRANSFORMS.build(region_swap)
    composites, region = region_swap(view_q)

    columns = {'view 1': view_q, 'view 2': view_k, 'composite': composites}
    view_sheet(path, {
        title: to_images(views, preprocessor)
        for title, views in columns.items()
    }, region.scale(region_swap.stride))


def browse_boxes(cfg: Config,
                 checkpoint: Optional[str],
                 path: Union[str, Path],
                 count: int = 8,
                 crops: int = 12,
                 threshold: Optional[float] = None,
                 alpha: Optional[float] = None) -> None:
    """Draw what a model responds to in training images, and crop by it.

    Images are drawn at random; boxes are found, and crops drawn, as training
    does.

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
    check_count(count)
    model = load_model(cfg, checkpoint)
    part = next(innermost(DATASETS.build(cfg.train_dataloader.dataset)))
    crop = crop_of(part.pipeline, alpha)
    hook = localization_hook(cfg)
    if threshold is None:
        threshold = hook.threshold
    image_size = hook.image_size or tuple(crop.size)
    shrink = Compose(whole_image_steps(image_size))
    part.pipeline = Compose(loading_steps(part.pipeline))

    rows = []
    for index in np.random.permutation(len(part))[:count]:
        loaded = part[int(index)]
        image = loaded['img']  # (H, W, 3)
        heat, box = respond(model, shrink(loaded), image_size, threshold)
        if model.data_preprocessor._channel_conversion:
            image = image[..., ::-1]
        box = crop.fixed_box or box
        drawn = [crop.draw_crop(image.shape[:2], box) for _ in range(crops)]
        rows.append((image, heat, box, drawn))

    state = {}
    if checkpoint is not None:
        state = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
    box_sheet(path, rows, state.get('ccrop', {}).get('histograms', {}))


def crop_of(pipeline: Compose, alpha: Optional[float]) -> ContrastiveCrop:
    """The random crop of a pipeline, as a ContrastiveCrop in any case."""
    crops = [s for s in steps_of(pipeline) if isinstance(s, RandomResizedCrop)]
    crops.sort(key=lambda crop: not isinstance(crop, ContrastiveCrop))
    if not crops:
        raise ValueError('the train pipeline has no RandomResizedCrop or '
                         'ContrastiveCrop to draw crops by')
    crop = crops[0]
    if not isinstance(crop, ContrastiveCrop):
        crop = ContrastiveCrop(
            crop.size, crop.scale, crop.ratio, max_attempts=crop.max_attempts)
    if alpha is not None:
        check_alpha(alpha)
        crop.alpha = alpha
    return crop


def localization_hook(cfg: Config) -> SemanticLocalizationHook:
    """The hook of a config that finds boxes, or one with its defaults."""
    hooks = [*cfg.get('default_hooks', {}).values()]
    for hook in hooks + list(cfg.get('custom_hooks') or []):
        if isinstance(hook, dict) and hook['type'].endswith(
                SemanticLocalizationHook.__name__):
            return HOOKS.build(hook)
    return SemanticLocalizationHook()


@torch.no_grad()
def respond(model: nn.Module, sample: dict, image_size: Tuple[int, int],
            threshold: float) -> Tuple[np.ndarray, Tuple[float, ...]]:
    """Heat map (h, w) and box of one packed image."""
    inputs, _ = model.data_preprocessor(
        dict(
            inputs=[view[None] for view in sample['inputs']],
            data_samples=[sample['data_samples']]))
    maps = feature_map(model(inputs, mode='tensor'))
    heat, _ = heat_maps(maps, image_size)
    boxes, _ = heatmap_to_boxes(maps, image_size, threshold)
    return heat[0].cpu().numpy(), tuple(boxes[0].tolist())


def browse_predictions(cfg: Config,
                       checkpoint: str,
                       path: Union[str, Path],
                       count: int = 5,
                       score: float = 0.3) -> None:
    """Draw what a detector or segmenter finds, beside the truth.

    Args:
        cfg (Config): Of ``configs/benchmarks``.
        checkpoint (str): Of the fine-tuned model.
        path (str or Path): PNG file to write.
        count (int): Images, spread evenly over the validation set. Defaults
            to 5.
        score (float): Of the boxes that are drawn, at least. Defaults to 0.3.
    """
    check_count(count)
    model = load_model(cfg, checkpoint)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    visualizer = VISUALIZERS.build(
        dict(cfg.visualizer, vis_backends=None, name=str(path)))
    visualizer.dataset_meta = dataset.metainfo
    rows = []
    last = len(dataset) - 1
    for index in np.linspace(0, last, min(count, last + 1)).astype(int):
        with torch.no_grad():
            found, = model.test_step(pseudo_collate([dataset[int(index)]]))
        image = mmcv.imread(found.img_path, channel_order='rgb')
        with TemporaryDirectory() as folder:
            # MMDetection's and MMSegmentation's own picture of both
            out_file = str(Path(folder, 'row.png'))
            least = dict(
                pred_score_thr=score) if 'pred_instances' in found else {}
            visualizer.add_datasample(
                '', image, found, out_file=out_file, **least)
            rows.append(mmcv.imread(out_file, channel_order='rgb'))
    row_sheet(path, rows, ('truth', 'prediction'))
