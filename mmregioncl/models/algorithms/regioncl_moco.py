from typing import Dict, List, NamedTuple, Optional

from mmselfsup.models.algorithms import MoCo
from torch import Tensor, nn
from torch.nn import functional as F

from mmregioncl.registry import MODELS
from ..necks import RegionMoCoV2Neck
from .momentum_contrast_mixin import MomentumContrastMixin


class Projection(NamedTuple):
    """What MoCo takes of whole views."""
    vector: Tensor  # (N, D)


@MODELS.register_module()
class RegionCLMoCo(MomentumContrastMixin, MoCo):
    """RegionCL-M: MoCo v2 with region swapping.

    `RegionCL: Exploring Contrastive Region Pairs for Self-supervised
    Representation Learning <https://arxiv.org/abs/2111.12309>`_.

    Parameters, buffers and their names are those of mmselfsup's ``MoCo``, so
    that checkpoints fit both ways.

    Args:
        backbone (dict): With one feature map as output.
        neck (dict): ``mmregioncl.RegionMoCoV2Neck``.
        head (dict): ``mmregioncl.RegionContrastiveHead``.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        shuffle_bn (str): What several processes send for ShuffleBN, see
            ``MomentumContrastMixin``. Defaults to 'images'.
        **kwargs: Further arguments of ``MoCo``: queue_len, feat_dim,
            momentum, pretrained, data_preprocessor, init_cfg.
    """

    neck_type = RegionMoCoV2Neck

    def loss(self,
             inputs: List[Tensor],
             data_samples: Optional[list] = None,
             **kwargs) -> Dict[str, Tensor]:
        """One step of Algorithm RegionCL-M; updates key encoder and queue.

        Args:
            inputs (list[Tensor]): Two views, (N, 3, H, W) each.
            data_samples (list, optional): Not used.

        Returns:
            dict[str, Tensor]: ``loss_instance`` and ``loss_region``.
        """
        view_q, view_k = self.take_views(inputs)
        # Keys first: what their forward pass takes is free again before the
        # graphs of the queries are built.
        key = self.encode_keys(view_k).vector  # (N, D)
        query = self.project(view_q, self.backbone, self.neck).vector  # (N, D)

        losses = dict(
            loss_instance=self.head.loss_instance(query, key, self.queue),
            loss_region=self.loss_region(view_q, key))

        self._dequeue_and_enqueue(key)
        return losses

    @staticmethod
    def project(view: Tensor, backbone: nn.Module,
                neck: nn.Module) -> Projection:
        """Normalised projections of whole views (N, 3, H, W)."""
        return Projection(F.normalize(neck(backbone(view))[0]))
