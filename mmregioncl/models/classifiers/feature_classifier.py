from typing import Optional

from torch import Tensor, nn

from mmregioncl.registry import MODELS
from ..parents import ImageClassifier
from ..utils import image_features, split_tokens


@MODELS.register_module()
class FeatureClassifier(ImageClassifier):
    """The host's classifier on one vector per image, for any backbone.

    The vector is the class token if the backbone returns one, or the mean of
    its last feature map: the same vector that pre-training projects and
    evaluations use.

    Args:
        backbone (dict): Any backbone.
        neck (dict, optional): Applied to the vector. Defaults to None.
        *args: Further arguments of ``ImageClassifier``.
        frozen (bool): Whether to freeze the backbone, including the statistics
            of batch norm. Defaults to False.
        **kwargs: Further arguments of ``ImageClassifier``.

    Raises:
        ValueError: If ``frozen=True`` and the backbone has ``frozen_stages``,
            which would change nothing, or if the neck pools maps.
    """

    def __init__(self,
                 backbone: dict,
                 neck: Optional[dict] = None,
                 *args,
                 frozen: bool = False,
                 **kwargs) -> None:
        if frozen and 'frozen_stages' in backbone:
            raise ValueError(
                'frozen=True of FeatureClassifier freezes the whole backbone,'
                f' regardless of frozen_stages={backbone["frozen_stages"]}: '
                'set frozen=False, or leave frozen_stages out')
        if isinstance(neck, dict) and 'Pooling' in str(neck.get('type')):
            raise ValueError(
                f'{neck["type"]} has no map to pool, since FeatureClassifier '
                'uses one vector per image: set model.neck=None')
        super().__init__(backbone, neck, *args, **kwargs)
        self.backbone.register_forward_hook(keep_features)
        self.frozen = frozen
        if frozen:
            self.backbone.requires_grad_(False)

    def train(self, mode: bool = True) -> nn.Module:
        """Set train mode, in which a frozen backbone stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self


def keep_features(backbone: nn.Module, images: tuple, outputs) -> tuple:
    """Replace the outputs by the features of the images, (N, C).

    A forward hook.
    """
    last = outputs if isinstance(outputs, Tensor) else outputs[-1]
    parts = [split_tokens(backbone, last)]
    return (image_features(parts, images[0].shape[-2:]), )
