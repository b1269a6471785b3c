from typing import Optional, Sequence, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmregioncl.registry import MODELS


@MODELS.register_module()
class LinearNeck(BaseModule):
    """The projector of MoCo v1: an average pool and one linear layer.

    Parameters have the same names as in MMSelfSup's ``LinearNeck``.

    Args:
        in_channels (int): Channels of the feature map.
        out_channels (int): Channels of the projection.
        init_cfg (dict, optional): Initialization. Defaults to None, PyTorch's.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        self.fc = nn.Linear(in_channels, out_channels)

    def forward(self, features: Sequence[Tensor]) -> Tuple[Tensor]:
        """Project the last feature map, (N, C, H, W), to (N, D)."""
        return (self.fc(features[-1].mean((2, 3))), )
