import torch
from mmengine.dist import all_gather, get_rank
from torch import Tensor
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..parents import MoCoV3Head, head_loss
from ..utils import neighbours, nt_xent
from .plain_loss import check_plain


@MODELS.register_module()
class RegionMoCoV3Head(MoCoV3Head):
    """Predict the keys of the other view, from views and regions.

    Args:
        predictor (dict): The parent's.
        loss (dict): The parent's ``CrossEntropyLoss``, of which loss_weight
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

        Args:
            projection (Tensor): Of one view, shape (N, D).
            target (Tensor): Keys of the other view, shape (N, D).

        Returns:
            Tensor: A scalar.
        """
        return head_loss(self, projection, target)

    def loss_region(self, canvas: Tensor, paste: Tensor,
                    target: Tensor) -> Tensor:
        """The parent's loss with regions in the place of their view.

        The neighbour in the composite is one more negative. It is compared by
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
        predicted, = self.predictor([torch.cat((canvas, paste))])  # (2N, D)
        keys = torch.cat(all_gather(F.normalize(target)))  # of all processes
        positive = torch.arange(len(canvas), device=target.device)
        positive = positive + get_rank() * len(target)
        loss = nt_xent(
            F.normalize(predicted),
            keys,
            positive.repeat(2),
            own=None,
            temperature=self.temperature,
            extra=F.normalize(neighbours(canvas, paste)))
        return self.loss_weight * loss
