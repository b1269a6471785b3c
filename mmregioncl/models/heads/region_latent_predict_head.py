import torch
from torch import Tensor

from mmregioncl.registry import MODELS
from ..parents import LatentPredictHead, criterion_of
from ..utils.precision import no_autocast


@MODELS.register_module()
class RegionLatentPredictHead(LatentPredictHead):
    """Predict the projection of the other view, from views and regions.

    Args:
        loss (dict): The parent's, ``CosineSimilarityLoss``.
        predictor (dict): The parent's.
    """

    def loss_instance(self, projection: Tensor, target: Tensor) -> Tensor:
        """The parent's loss, in float32 or higher, even under autocast.

        Args:
            projection (Tensor): Of one view, shape (N, D).
            target (Tensor): Projection of the other view, shape (N, D). Gets
                no gradient.

        Returns:
            Tensor: A scalar.
        """
        predicted = self.predictor([projection])[0]
        dtype = torch.promote_types(predicted.dtype, torch.float32)
        with no_autocast(predicted.device):
            return criterion_of(self)(predicted.to(dtype),
                                      target.detach().to(dtype))

    def loss_region(self, canvas: Tensor, paste: Tensor,
                    target: Tensor) -> Tensor:
        """The parent's loss, averaged over canvas and paste.

        Both pass the predictor in one batch, so its batch norm sees them
        together. This is the package's definition: without negatives, what
        remains of RegionCL is that a region agrees with the other view of its
        image.

        Args:
            canvas (Tensor): Shape (N, D), row i shows image i.
            paste (Tensor): Shape (N, D), row i shows image i.
            target (Tensor): Projection of the other view, shape (N, D), or
                (N + 1, D) if the last image has no regions. Gets no gradient.

        Returns:
            Tensor: A scalar.
        """
        target = target[:len(canvas)]
        return self.loss_instance(
            torch.cat((canvas, paste)), target.repeat(2, 1))
