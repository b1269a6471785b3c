from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Optional, Tuple, Union

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, VISUALIZERS, init_default_scope
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from mmregioncl import host
from mmregioncl.datasets.box_store import attach_boxes
from mmregioncl.datasets.nested import innermost, type_name
from mmregioncl.datasets.transforms import (ContrastiveCrop, check_alpha,
                                            crop_settings, is_crop, is_loading,
                                            loading_steps, steps_of)
from mmregioncl.evaluation import build_model, load_model, model_config
from mmregioncl.evaluation.localization import whole_image_steps
from mmregioncl.hooks import SemanticLocalizationHook
from mmregioncl.models.parents import with_settings
from mmregioncl.models.utils import (MAP_SETTINGS, RegionSwap, Threshold,
                                     backbone_outputs, build_region_swap,
                                     check_threshold, check_weights,
                                     feature_map, grid_of, heat_maps,
                                     heatmap_to_boxes, preprocess)
from mmregioncl.registry import HOOKS
from mmregioncl.transfer import read_weights
from .sheets import box_sheet, row_sheet, to_colors, to_images, view_sheet


def check_count(count: int) -> None:
    if count < 1:
        raise ValueError(
            f'count={count} images are too few for a sheet: draw at least 1')


def browse_views(cfg: Config, path: str, count: int = 8) -> None:
    """Draw two views and the composite of random training images.

    For a method without region swapping, regions are drawn with the defaults
    of ``RegionSwap``.

    Args:
        cfg (Config): Config of a method with two views.
        path (str): PNG file to write.
        count (int): Number of images, even. Defaults to 8.
    """
    check_count(count)
    init_default_scope(host.scope_of(cfg))
    loader = Runner.build_dataloader(
        dict(
            cfg.train_dataloader,
            batch_size=count,
            drop_last=False,
            num_workers=0))
    attach_boxes(loader.dataset, (1, 1))  # whole images, as in the warm-up
    preprocessor = dict(
        dict(type='mmregioncl.SelfSupDataPreprocessor'),
        **model_config(cfg).get('data_preprocessor', {}))
    preprocessor = MODELS.build(preprocessor)
    (view_q, view_k), _ = preprocess(preprocessor, next(iter(loader)))

    region_swap = build_region_swap(cfg.model.get('region_swap', {}))
    image_size = view_q.shape[-2:]
    with torch.random.fork_rng(), torch.no_grad():
        backbone = MODELS.build(
            with_settings(cfg.model.backbone, MAP_SETTINGS))
        backbone.eval()
        grid = grid_of(backbone(view_q[:1]), image_size)
    if isinstance(region_swap, RegionSwap):
        region_swap = region_swap.fit(grid, image_size)
    composites, region = region_swap(view_q)

    columns = {'view 1': view_q, 'view 2': view_k, 'composite': composites}
    view_sheet(path, {
        title: to_images(views, preprocessor)
        for title, views in columns.items()
    }, region.scale(image_size[0] // grid[0]))


def browse_boxes(cfg: Config,
                 checkpoint: Optional[str],
                 path: Union[str, Path],
                 count: int = 8,
                 crops: int = 12,
                 threshold: Optional[Threshold] = None,
                 alpha: Optional[float] = None) -> None:
    """Draw heat map, box and crops of random training images.

    Boxes and crops are computed as in training with ContrastiveCrop.

    Args:
        cfg (Config): A pre-training config.
        checkpoint (str, optional): Weights of its backbone, or None for random
            ones. If it has crop boxes, their areas over training are drawn
            as well.
        path (str or Path): PNG file to write.
        count (int): Number of images. Defaults to 8.
        crops (int): Crops per image. Defaults to 12.
        threshold (float or str, optional): Threshold of the heat map. Defaults
            to None, the hook's in the config, or its default.
        alpha (float, optional): Parameter of the beta distribution of crops.
            Defaults to None, the transform's in the config, or its default.
    """
    check_count(count)
    model = load_model(cfg, checkpoint)
    part = next(innermost(DATASETS.build(cfg.train_dataloader.dataset)))
    crop = crop_of(part.pipeline, alpha)
    hook = localization_hook(cfg)
    threshold = check_threshold(hook.threshold if threshold is
                                None else threshold)
    image_size = hook.image_size or tuple(crop.size)
    shrink = Compose(whole_image_steps(image_size))
    part.pipeline = Compose(loading_steps(part.pipeline))

    rows = []
    for index in np.random.permutation(len(part))[:count]:
        loaded = part[int(index)]
        image = loaded['img']  # (H, W, C)
        heat, box = localize_image(model, shrink(loaded), image_size,
                                   threshold)
        if model.data_preprocessor._channel_conversion:
            image = image[..., ::-1]
        image = to_colors(image)
        box = crop.fixed_box or box
        drawn = [crop.draw_crop(image.shape[:2], box) for _ in range(crops)]
        rows.append((image, heat, box, drawn))

    state = {}
    if checkpoint is not None:
        state = CheckpointLoader.load_checkpoint(checkpoint, 'cpu')
    box_sheet(path, rows, state.get('ccrop', {}).get('histograms', {}))


def crop_of(pipeline: Compose, alpha: Optional[float]) -> ContrastiveCrop:
    """The random crop of a pipeline, converted to a ContrastiveCrop."""
    crops = [s for s in steps_of(pipeline) if is_crop(s)]
    crops.sort(key=lambda crop: not isinstance(crop, ContrastiveCrop))
    if not crops:
        raise ValueError('the train pipeline has no RandomResizedCrop or '
                         'ContrastiveCrop to draw crops with')
    crop = crops[0]
    if not isinstance(crop, ContrastiveCrop):
        crop = ContrastiveCrop(
            **crop_settings(crop), max_attempts=crop.max_attempts)
    if alpha is not None:
        check_alpha(alpha)
        crop.alpha = alpha
    return crop


def localization_hook(cfg: Config) -> SemanticLocalizationHook:
    """The SemanticLocalizationHook of a config, or one with defaults."""
    hooks = [*cfg.get('default_hooks', {}).values()]
    for hook in hooks + list(cfg.get('custom_hooks') or []):
        if isinstance(hook, dict) and type_name(hook).endswith(
                SemanticLocalizationHook.__name__):
            return HOOKS.build(hook)
    return SemanticLocalizationHook()


@torch.no_grad()
def localize_image(
        model: nn.Module, sample: dict, image_size: Tuple[int, int],
        threshold: Threshold) -> Tuple[np.ndarray, Tuple[float, ...]]:
    """Heat map (h, w) and box of one packed image."""
    inputs, _ = preprocess(
        model.data_preprocessor,
        dict(
            inputs=[view[None] for view in sample['inputs']],
            data_samples=[sample['data_samples']]))
    maps = feature_map(backbone_outputs(model, inputs), image_size)
    heat, _ = heat_maps(maps, image_size)
    boxes, _ = heatmap_to_boxes(maps, image_size, threshold)
    return heat[0].cpu().numpy(), tuple(boxes[0].tolist())


def browse_predictions(cfg: Config,
                       checkpoint: str,
                       path: Union[str, Path],
                       count: int = 5,
                       score: float = 0.3) -> None:
    """Draw ground truth and predictions of a detector or segmenter.

    Args:
        cfg (Config): A config of ``configs/benchmarks``.
        checkpoint (str): Weights of the fine-tuned model.
        path (str or Path): PNG file to write.
        count (int): Number of images, spread evenly over the validation set.
            Defaults to 5.
        score (float): Lowest score of the boxes that are drawn. Defaults to
            0.3.
    """
    check_count(count)
    model = build_model(cfg)
    model.load_state_dict(check_weights(model, read_weights(checkpoint)))
    model.to(get_device()).eval()
    dataset = DATASETS.build(cfg.val_dataloader.dataset)
    visualizer = VISUALIZERS.build(
        dict(cfg.visualizer, vis_backends=None, name=str(path)))
    visualizer.dataset_meta = dataset.metainfo
    steps = steps_of(next(innermost(dataset)).pipeline)
    load = copy(next(filter(is_loading, steps)))
    load.on_corrupt = 'raise'
    rows = []
    last = len(dataset) - 1
    for index in np.linspace(0, last, min(count, last + 1)).astype(int):
        with torch.no_grad():
            found, = model.test_step(pseudo_collate([dataset[int(index)]]))
        image = load(dict(img_path=found.img_path))['img']
        if image.shape[2] == 3:
            image = image[..., ::-1]
        with TemporaryDirectory() as folder:
            # MMDetection and MMSegmentation draw both side by side.
            out_file = str(Path(folder, 'row.png'))
            threshold = dict(
                pred_score_thr=score) if 'pred_instances' in found else {}
            visualizer.add_datasample(
                '', to_colors(image), found, out_file=out_file, **threshold)
            rows.append(mmcv.imread(out_file, channel_order='rgb'))
    row_sheet(path, rows, ('truth', 'prediction'))
