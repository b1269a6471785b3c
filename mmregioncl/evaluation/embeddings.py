"""Embeddings of training views: computing them, and their statistics."""
import math
from typing import Dict, List, Optional

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from torch import Tensor
from torch.utils.data import Dataset

from mmregioncl.models.parents import MoCoV3, SimCLR
from mmregioncl.models.utils import grid_of, image_features
from mmregioncl.randomness import seed_draws
from .statistics import alignment, rankme, relative_std, uniformity


class SeededViews(Dataset):
    """A subset of a data set that returns the same views every time.

    Args:
        dataset (BaseDataset): Data set with random views.
        count (int): Number of images, spread evenly over the data set.
    """

    def __init__(self, dataset: BaseDataset, count: int) -> None:
        self.dataset = dataset
        self.rows = np.linspace(0, len(dataset) - 1, count).round().astype(int)

    def __getitem__(self, index: int) -> dict:
        seed_draws(index)
        return self.dataset[int(self.rows[index])]


def embed(model: BaseModel, inputs: List[Tensor]) -> Dict[str, Tensor]:
    """Features and embeddings of a batch.

    Args:
        model (BaseModel): A pre-training algorithm in eval mode.
        inputs (list[Tensor]): Its views, (N, 3, H, W) each.

    Returns:
        dict[str, Tensor]: ``features`` (N, C) and ``view`` (N, D). With a
        second view also ``second``, with regions ``canvas`` and ``paste``.
    """
    features = model.backbone(inputs[0])
    parts = dict(features=image_features(features))
    if not model.with_neck:
        return parts
    parts['view'] = model.neck(features)[0]
    if len(inputs) > 1:
        parts['second'] = model.neck(model.backbone(inputs[1]))[0]
    if hasattr(model, 'project_regions'):
        parts['canvas'], parts['paste'] = model.project_regions(
            inputs[0], grid_of(features))
    return parts


def statistics(embeddings: Dict[str, Tensor]) -> Dict[str, float]:
    """Statistics of embeddings, by names such as ``canvas/std``.

    Args:
        embeddings (dict[str, Tensor]): As from :func:`embed`.
    """
    embeddings = dict(embeddings)
    second = embeddings.pop('second', None)
    scalars = {'features/rankme': rankme(embeddings.pop('features'))}
    for name, rows in embeddings.items():
        scalars[f'{name}/std'] = relative_std(rows)
        scalars[f'{name}/rankme'] = rankme(rows)
        scalars[f'{name}/uniformity'] = uniformity(rows)
        if second is not None:
            scalars[f'{name}/alignment'] = alignment(rows, second)
    return scalars


def chance_loss(model: BaseModel, images: int) -> Optional[float]:
    """Loss of guessing which key is the positive.

    An algorithm has this loss while all its embeddings are equal.

    Args:
        model (BaseModel): A pre-training algorithm.
        images (int): Images in a batch, over all ranks.

    Returns:
        float or None: None for algorithms without negatives.
    """
    weight = 1 + getattr(model, 'region_weight', 0)
    if hasattr(model, 'queue_len'):
        return weight * math.log(1 + model.queue_len)
    if isinstance(model, SimCLR):
        return weight * math.log(2 * images - 1)
    if isinstance(model, MoCoV3):  # the sum over both views
        scale = next(part.loss_weight for part in model.head.modules()
                     if hasattr(part, 'loss_weight'))
        return 2 * weight * scale * math.log(images)
    return None
