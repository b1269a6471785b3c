from typing import Tuple

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, TRANSFORMS, init_default_scope
from mmengine.runner import Runner
from torch import nn

from mmregioncl.datasets.box_store import attach_boxes
from .view_sheet import to_images, view_sheet


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


def browse_views(cfg: Config, path: str, count: int = 8) -> None:
    """Draw views and composites of a batch, as training makes them.

    A method without region swapping gets regions that fit its backbone.

    Args:
        cfg (Config): Any config of two views.
        path (str): PNG file to write.
        count (int): Number of images, even. Defaults to 8.
    """
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
