from mmregioncl.registry import MODELS
from ..heads import RegionLatentPredictHead
from ..necks import RegionNonLinearNeck
from ..parents import BYOL
from .momentum_target_mixin import MomentumTargetMixin


@MODELS.register_module()
class RegionCLBYOL(MomentumTargetMixin, BYOL):
    """BYOL with region swapping.

    Canvas and paste pass through online projector and predictor to predict the
    target network's projection of the other whole view of their image. This
    is the package's definition: RegionCL-S with BYOL's target. The region loss
    is 4 times the mean over regions and views, as BYOL's own loss is over
    views, so that both have the same scale at a weight of 1, as in RegionCL-M.

    Checkpoints load from and into the host's ``BYOL``.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionNonLinearNeck``.
        head (dict): The parent's, or ``mmregioncl.RegionLatentPredictHead``.
        symmetric (bool, optional): Whether composites are made of both views.
            Defaults to None: they are, unless region_share is set.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        region_share (float, optional): Share of images shown only as
            composites. Defaults to None: all are shown both ways.
        **kwargs: Further arguments of ``BYOL``: base_momentum, pretrained,
            data_preprocessor, init_cfg.
    """
    neck_type = RegionNonLinearNeck
    head_type = RegionLatentPredictHead
    average_name = 'target_net'
    loss_scale = 2
