from typing import Dict, List, Optional, Tuple

from mmengine.dist import get_world_size
from mmselfsup.models.algorithms import SimSiam
from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..heads import RegionLatentPredictHead
from ..necks import RegionNonLinearNeck
from .symmetric_region_mixin import SymmetricRegionMixin


@MODELS.register_module()
class RegionCLSimSiam(SymmetricRegionMixin, SimSiam):
    """RegionCL-S: SimSiam with region swapping.

    Canvas and paste pass projector and predictor, and predict the projection
    of the other whole view of their image. This package's definition: the
    authors name the method and its results, and released no code. There are no
    negatives in SimSiam, so none are added for regions; the weight of 1 and
    the mean over both regions are RegionCL-M's.

    Checkpoints of mmselfsup's ``SimSiam`` fit both ways.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): ``mmregioncl.RegionNonLinearNeck``.
        head (dict): ``mmregioncl.RegionLatentPredictHead``.
        symmetric (bool): Whether composites are made of both views. Defaults
            to True.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        **kwargs: Further arguments of ``SimSiam``: pretrained,
            data_preprocessor, init_cfg.
    """
    neck_type = RegionNonLinearNeck
    head_type = RegionLatentPredictHead

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of RegionCL-S.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        views = self.take_views(inputs)
        z1, z2 = (self.neck(self.backbone(view))[0] for view in views)

        loss_instance = (self.head(z1, z2) + self.head(z2, z1)) / 2
        losses_region = [
            self.head.loss_region(canvas, paste, target)
            for (canvas,
                 paste), target in zip(self.region_pairs(views), (z2, z1))
        ]
        return dict(
            loss_instance=loss_instance,
            loss_region=self.mean_region(losses_region))

    def take_views(self, inputs: List[Tensor]) -> Tuple[Tensor, Tensor]:
        """Refuse what is too few for the batch norm that ends the projector.

        It turns two rows into plus and minus one, whatever they were.
        """
        views = super().take_views(inputs)
        synced = any(
            isinstance(module, nn.SyncBatchNorm)
            for module in self.neck.modules())
        count = len(views[0]) * (get_world_size() if synced else 1)
        if count < 4:
            raise ValueError(
                f'the batch norm of RegionCLSimSiam sees {count} images, and '
                'needs 4 to tell them apart: set a larger batch_size')
        return views
