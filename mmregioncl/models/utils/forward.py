"""Forward passes that work under either host."""
from typing import List, Tuple

from mmengine.model import BaseModel
from torch import Tensor, nn

from mmregioncl import host
from ..parents import split_batch


def preprocess(preprocessor: nn.Module,
               batch: dict) -> Tuple[List[Tensor], list]:
    """Preprocess a batch.

    Args:
        preprocessor (nn.Module): Data preprocessor of a model.
        batch (dict): ``inputs`` and ``data_samples``, collated.

    Returns:
        tuple: Views (N, C, H, W) each, and the data samples.
    """
    return split_batch(preprocessor(batch))


def backbone_outputs(model: BaseModel, views: List[Tensor]) -> tuple:
    """What the backbone of a model returns for the first view.

    Args:
        model (BaseModel): A pre-training algorithm.
        views (list[Tensor]): Shape (N, C, H, W) each.
    """
    return model(
        views if host.NAME == 'mmselfsup' else views[0], mode='tensor')
