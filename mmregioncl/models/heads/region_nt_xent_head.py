from typing import Optional

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from mmregioncl.registry import MODELS
from ..utils import nt_xent
from .region_contrastive_head import PlainContrastiveHead


@MODELS.register_module()
class RegionNTXentHead(PlainContrastiveHead):
    """Instance and region loss of SimCLR, against the views of the batch.

    The projections of both views are interleaved: rows 2i and 2i + 1 of
    `views` show image i.

    Args:
        loss (dict, optional): The parent's cross entropy. Defaults to None.
        temperature (float): Temperature of both losses. Defaults to 0.1, as
            in the parent.
        **kwargs: Further arguments of the parent.
    """

    def __init__(self,
                 loss: Optional[dict] = None,
                 temperature: float = 0.1,
                 **kwargs) -> None:
        super().__init__(loss, temperature, **kwargs)

    def loss_instance(self, views: Tensor) -> Tensor:
        """SimCLR's loss: each view against all others.

        Args:
            views (Tensor): Normalised, shape (2N, D).

        Returns:
            Tensor: A scalar.
        """
        own = torch.arange(len(views), device=views.device)
        return nt_xent(views, views, own ^ 1, own, self.temperature)

    def loss_region(self, regions: Tensor, neighbours: Tensor, views: Tensor,
                    source: Optional[int]) -> Tensor:
        """NT-Xent with regions in place of the views they were cut from.

        The positive is the other view of the region's image. The negatives are
        both views of all other images, and the neighbour in the composite. The
        loss is the mean over 2N rows. This is the package's definition, see
        ``RegionCLSimCLR``.

        Args:
            regions (Tensor): Normalised canvas and paste of all processes,
                shape (2, N, D); row i of both shows image i. The last image of
                each process may have none.
            neighbours (Tensor): The region beside each in its composite,
                without gradient, shape (2, N, D).
            views (Tensor): Of all processes, normalised, shape (2N, D), or
                more if there are images without regions.
            source (int, optional): Which view the composites were made of, 0
                or 1. With None, `views` holds the other view of each image
                alone, shape (N, D) or more.

        Returns:
            Tensor: A scalar.
        """
        world = get_world_size()
        count = len(views) if source is None else len(views) // 2
        image = torch.arange(count, device=views.device)
        image = image.view(world, -1)[:, :regions.shape[1] // world]
        image = image.flatten().repeat(2)  # (2N,)
        positive, own = (image,
                         None) if source is None else (2 * image + 1 - source,
                                                       2 * image + source)
        return nt_xent(
            regions.flatten(0, 1), views, positive, own, self.temperature,
            neighbours.flatten(0, 1))
