from torch import nn

from mmregioncl.registry import MODELS
from ..heads import RegionMoCoV3Head
from ..necks import RegionMoCoV3Neck
from ..parents import MoCoV3, map_advice
from ..utils import MAP_SETTINGS, class_token, feature_map, split_tokens
from .momentum_target_mixin import MomentumTargetMixin


@MODELS.register_module()
class RegionCLMoCoV3(MomentumTargetMixin, MoCoV3):
    """MoCo v3 with region swapping, on vision transformers and ResNets.

    `An Empirical Study of Training Self-Supervised Vision Transformers
    <https://arxiv.org/abs/2104.02057>`_ with the composites of RegionCL. On a
    vision transformer a cell is a patch: 14x14 of 16 pixels in a view of 224.

    Canvas and paste are the means of their patch tokens. They pass projector
    and predictor, and are contrasted with the momentum encoder's projections
    of the other whole views. The positive is the projection of their own
    image. Negatives are the projections of all other images and of the
    neighbor in the composite, which gets no gradient, as in RegionCL-M. This
    is the package's definition, not a paper's. The region loss is twice the
    mean over views, as MoCo v3's own loss is, so that both have the same scale
    at a weight of 1, as in RegionCL-M.

    Whole views are projected from the class token, as in MoCo v3, so that the
    parent's loss is unchanged, and from the mean of the map of a backbone that
    returns no class token. Other tokens, such as the distillation token of
    DeiT, are used only in the attention.

    Checkpoints load from and into the host's ``MoCoV3``.

    Args:
        backbone (dict): A vision transformer, or a network with one feature
            map as output.
        neck (dict): The parent's, or ``mmregioncl.RegionMoCoV3Neck``.
        head (dict): The parent's, or ``mmregioncl.RegionMoCoV3Head``.
        symmetric (bool, optional): Whether composites are made of both views.
            Defaults to None: they are, unless region_share is set.
        region_swap (dict): Defaults to ``mmregioncl.RegionSwap``.
        region_weight (float): Weight of the region loss. Defaults to 1.0.
        region_share (float, optional): Share of images shown only as
            composites. Defaults to None: all are shown both ways.
        **kwargs: Further arguments of ``MoCoV3``: base_momentum, pretrained,
            data_preprocessor, init_cfg.
    """
    neck_type = RegionMoCoV3Neck
    head_type = RegionMoCoV3Head
    average_name = 'momentum_encoder'
    loss_scale = 1
    # MMPretrain's transformers return all tokens then; mmcls's return a map
    # and the class token by default.
    map_settings = dict(MAP_SETTINGS, out_type='raw')
    del map_settings['output_cls_token']

    def __init__(self, backbone: dict, *args, **kwargs) -> None:
        super().__init__(backbone, *args, **kwargs)
        for encoder in (self.backbone, self.average.module[0]):
            encoder.register_forward_hook(shape_tokens)


def shape_tokens(backbone: nn.Module, images: tuple, outputs: tuple) -> list:
    """Replace tokens by a map and the class token.

    A forward hook, since the size of the images gives the rows and columns.
    Maps are left unchanged.

    Raises:
        ValueError: If an output has neither a map nor all patch tokens.
    """
    size = images[0].shape[-2:]
    shaped = []
    for output in outputs:
        parts = [split_tokens(backbone, output)]
        try:
            maps, token = feature_map(parts, size), class_token(parts, size)
        except ValueError as error:
            settings = RegionCLMoCoV3.map_settings
            cfg = {k: v for k, v in vars(backbone).items() if k in settings}
            cfg['type'] = type(backbone)
            raise ValueError(
                'RegionCLMoCoV3 needs a feature map, or all patch tokens with '
                f'or without a class token, but {type(backbone).__name__} '
                f'returns something else: {map_advice(cfg, settings)}'
            ) from error
        shaped.append(maps if token is None else [maps, token])
    return shaped
