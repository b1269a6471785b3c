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
            views (Tensor): Normalized, shape (2N, D).

        Returns:
            Tensor: A scalar.
        """
        own = torch.arange(len(views), device=views.device)
        return nt_xent(views, views, own ^ 1, own, self.temperature)

    def loss_region(self, regions: Tensor, neighbours: Tensor, views: Tensor,
                    source: int) -> Tensor:
        """NT-Xent with regions instead of the views they were cut from.

        The positive is the other view of the region's image. The negatives are
        the given views of all other images, and the neighbor in the
        composite. The loss is the mean over 2N rows. This is the package's
        definition, see ``RegionCLSimCLR``.

        Args:
            regions (Tensor): Normalized canvas and paste of all processes,
                shape (2, N, D); row i of both shows image i. The last images
                of each process may have none.
            neighbours (Tensor): The region beside each in its composite,
                without gradient, shape (2, N, D).
            views (Tensor): Of all processes, normalized, shape (N, V, D), or
                more if there are images without regions: both views of each
                image, or only the second one.
            source (int): Which view the composites were made of, 0 or 1.

        Returns:
            Tensor: A scalar.
        """
        world, each = get_world_size(), views.shape[1]
        image = torch.arange(len(views), device=views.device)
        image = image.view(world, -1)[:, :regions.shape[1] // world]
        image = image.flatten().repeat(2)  # (2N,)
        return nt_xent(
            regions.flatten(0, 1),
            views.flatten(0, 1),
            positive_index=each * image + each - 1 - source,
            own=each * image + source if each == 2 else None,
            temperature=self.temperature,
            extra=neighbours.flatten(0, 1))
