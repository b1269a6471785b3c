from typing import Optional

import torch
from torch import Tensor

from mmregioncl import host
from mmregioncl.registry import MODELS
from ..parents import ContrastiveHead
from ..utils import info_nce, neighbours
from .plain_loss import check_plain


class PlainContrastiveHead(ContrastiveHead):
    """What the contrastive heads of this package share.

    Their losses are cross entropies at one temperature. They never build the
    (N, 1 + K) matrix of logits that the parent's ``forward(pos, neg)`` needs.

    Args:
        loss (dict, optional): The parent's cross entropy. It is not called,
            so it must not have settings. Defaults to None, the host's
            ``CrossEntropyLoss``.
        temperature (float): Temperature of both losses. Defaults to 0.2, as
            in the official recipe.
        **kwargs: Further arguments of the parent.
    """

    def __init__(self,
                 loss: Optional[dict] = None,
                 temperature: float = 0.2,
                 **kwargs) -> None:
        plain = dict(type=host.qualified('CrossEntropyLoss'))
        super().__init__(loss or plain, temperature, **kwargs)
        check_plain(self, loss or plain, temperature)


@MODELS.register_module()
class RegionContrastiveHead(PlainContrastiveHead):
    """Instance and region loss of RegionCL-M and -D, against a queue.

    Args:
        loss (dict, optional): The parent's cross entropy. Defaults to None.
        temperature (float): Temperature of all losses. Defaults to 0.2.
    """

    def loss_instance(self, query: Tensor, key: Tensor,
                      queue: Tensor) -> Tensor:
        """MoCo's loss: each query against its key and the queue.

        Args:
            query (Tensor): Normalized whole views or cells, shape (N, D).
            key (Tensor): Normalized keys, shape (N, D).
            queue (Tensor): Shape (D, K).

        Returns:
            Tensor: A scalar.
        """
        return info_nce(query, key, queue, self.temperature)

    def loss_region(self, canvas: Tensor, paste: Tensor, key: Tensor,
                    queue: Tensor) -> Tensor:
        """RegionCL's loss: canvas and paste of image i against key i.

        The negatives are the queue and the other region of the same composite,
        which gets no gradient as a negative. The loss is the mean over 2N
        rows.

        Args:
            canvas (Tensor): Normalized, shape (N, D), row i shows image i.
            paste (Tensor): Normalized, shape (N, D), row i shows image i.
            key (Tensor): Normalized keys, shape (N, D), or (N + 1, D) if the
                last image has no regions.
            queue (Tensor): Shape (D, K).

        Returns:
            Tensor: A scalar.
        """
        regions = torch.cat((canvas, paste))  # (2N, D)
        key = key[:len(canvas)]
        return info_nce(regions, key.repeat(2, 1), queue, self.temperature,
                        neighbours(canvas, paste))
