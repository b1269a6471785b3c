import torch
from mmselfsup.models.heads import LatentPredictHead
from torch import Tensor

from mmregioncl.registry import MODELS


@MODELS.register_module()
class RegionLatentPredictHead(LatentPredictHead):
    """Predicts the other view's projection from a region, too.

    Args:
        loss (dict): The parent's, ``CosineSimilarityLoss``.
        predictor (dict): The parent's.
    """

    def loss_region(self, canvas: Tensor, paste: Tensor,
                    target: Tensor) -> Tensor:
        """Mean over canvas and paste of the parent's loss.

        Both pass the predictor in one batch, so that its batch norm sees them
        together. This package's definition: without negatives, the rule of
        RegionCL that a region agrees with the other view of its image is all
        that remains.

        Args:
            canvas (Tensor): Shape (N, D), row i shows image i.
            paste (Tensor): Shape (N, D), row i shows image i.
            target (Tensor): Projection of the other view, shape (N, D). Gets
                no gradient.

        Returns:
            Tensor: A scalar.
        """
        return self(torch.cat((canvas, paste)), target.repeat(2, 1))
