from typing import List, Optional

import torch
from mmengine.dist import all_gather, get_rank
from torch import Tensor
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..parents import MoCoV3Head
from ..utils import neighbours, nt_xent
from .plain_loss import check_plain


@MODELS.register_module()
class RegionMoCoV3Head(MoCoV3Head):
    """Predict the keys of the other view, from views and regions.

    Args:
        predictor (dict): The parent's.
        loss (dict): The parent's ``CrossEntropyLoss``. Only its loss_weight
            may be set.
        temperature (float): Temperature of both losses. Defaults to 1.0, as
            in the parent.
    """

    def __init__(self,
                 predictor: dict,
                 loss: dict,
                 temperature: float = 1.0) -> None:
        super().__init__(predictor, loss, temperature)
        check_plain(self, loss, temperature, ('loss_weight', ))
        self.loss_weight = loss.get('loss_weight', 1.0)

    def loss_instance(self, projection: Tensor, target: Tensor) -> Tensor:
        """The parent's loss.

        Its labels are made on the device. The parent makes them on the CPU,
        and each step waits for the copy.

        Args:
            projection (Tensor): Of one view, shape (N, D).
            target (Tensor): Keys of the other view, shape (N, D).

        Returns:
            Tensor: A scalar.
        """
        return self.contrast([projection], target)

    def loss_region(self, canvas: Tensor, paste: Tensor,
                    target: Tensor) -> Tensor:
        """The parent's loss with regions instead of their view.

        The neighbor in the composite is one more negative. It is compared by
        its projection, as keys are, and gets no gradient. The loss is the mean
        over 2N rows. This is the package's definition, see
        ``RegionCLMoCoV3``.

        Args:
            canvas (Tensor): Projections, shape (N, D), row i shows image i.
            paste (Tensor): Projections, shape (N, D), row i shows image i.
            target (Tensor): Keys of the other view, shape (N, D), or
                (N + 1, D) if the last image has no regions.

        Returns:
            Tensor: A scalar.
        """
        beside = F.normalize(neighbours(canvas, paste))
        return self.contrast([canvas, paste], target, beside)

    def contrast(self,
                 projections: List[Tensor],
                 target: Tensor,
                 beside: Optional[Tensor] = None) -> Tensor:
        """Mean loss of predictions against the keys of all processes.

        Args:
            projections (list[Tensor]): Shape (N, D) each, row i shows image i.
            target (Tensor): Keys, shape (N, D) or more.
            beside (Tensor, optional): A further negative of each row, shape
                (kN, D) for k projections. Defaults to None.

        Returns:
            Tensor: A scalar.
        """
        predicted, = self.predictor([torch.cat(projections)])  # (kN, D)
        keys = torch.cat(all_gather(F.normalize(target)))
        positive = torch.arange(len(projections[0]), device=target.device)
        positive = positive + get_rank() * len(target)
        loss = nt_xent(
            F.normalize(predicted),
            keys,
            positive.repeat(len(projections)),
            own=None,
            temperature=self.temperature,
            extra=beside)
        return self.loss_weight * loss
