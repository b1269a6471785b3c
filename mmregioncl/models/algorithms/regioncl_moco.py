from typing import Dict, List, NamedTuple, Optional

from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..necks import RegionMoCoV2Neck
from ..parents import MoCo
from ..utils import grid_of
from .momentum_contrast_mixin import MomentumContrastMixin


class Projection(NamedTuple):
    """What MoCo's loss needs of whole views."""
    vector: Tensor  # (N, D)


@MODELS.register_module()
class RegionCLMoCo(MomentumContrastMixin, MoCo):
    """RegionCL-M: MoCo v2 with region swapping.

    `RegionCL: Exploring Contrastive Region Pairs for Self-supervised
    Representation Learning <https://arxiv.org/abs/2111.12309>`_.

    Parameters and buffers have the same names as in the host's ``MoCo``, so
    checkpoints load from and into it.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionMoCoV2Neck``.
        head (dict): The parent's, or ``mmregioncl.RegionContrastiveHead``.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        region_share (float, optional): Share of images shown only as
            composites. Defaults to None: all are shown both ways.
        **kwargs: Further arguments of ``MoCo``: queue_len, feat_dim,
            momentum, pretrained, data_preprocessor, init_cfg.
    """

    neck_type = RegionMoCoV2Neck

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of RegionCL-M; updates the key encoder and the queue.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        view_q, view_k = self.take_views(inputs)
        # Keys first, so that their activations are freed before the graphs of
        # the queries are built.
        key = self.encode_keys(view_k).vector  # (N, D)
        mixed, whole = self.split(len(view_q))
        features = self.backbone(view_q[whole])  # [(U, C, Hf, Wf)]
        query = self.project(features, self.neck).vector  # (U, D)

        losses = dict(
            loss_instance=self.head.loss_instance(query, key[whole],
                                                  self.queue),
            loss_region=self.loss_region(view_q[mixed], grid_of(features),
                                         key))

        self._dequeue_and_enqueue(key)
        self.clock.tick()
        return losses

    @staticmethod
    def project(features: List[Tensor], neck: nn.Module) -> Projection:
        """Normalized projections of feature maps, [(N, C, Hf, Wf)]."""
        return Projection(F.normalize(neck(features)[0]))
