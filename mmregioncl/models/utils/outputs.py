"""What a backbone returns: a feature map, tokens, a class token."""
import math
from typing import Optional, Sequence, Tuple, Union

from torch import Tensor, nn

Outputs = Union[Tensor, Sequence]
Size = Tuple[int, int]
Token = Optional[Tensor]

NO_MAP = ('the backbone does not return feature maps (N, C, H, W), but shapes '
          '{}: {}')
ANOTHER = 'use another backbone, or settings with which it returns a map'
# Settings with which backbones that have them return a map
MAP_SETTINGS = dict(
    out_type='featmap',  # vision transformers of MMPretrain
    output_cls_token=False,  # of mmcls
    avg_token=False,  # BEiT and RevVisionTransformer of mmcls
    gap_before_final_norm=False,  # ConvNeXt
    reshape_last_feat=True)  # EfficientFormer


def split_outputs(outputs: Outputs) -> Tuple[Tensor, Token]:
    """The last stage of a backbone's output, and its class token if any.

    A distillation token may follow, which is ignored.
    """
    last = outputs if isinstance(outputs, Tensor) or not outputs else \
        outputs[-1]
    if isinstance(last, Tensor):
        return last, None
    dims = [getattr(part, 'ndim', None) for part in last or ()]
    if dims in ([2], [2, 2]):
        return last[0], None
    if dims[:1] not in ([3], [4]) or dims[1:] not in ([2], [2, 2]):
        raise ValueError(NO_MAP.format(dims, ANOTHER))
    return last[0], last[1]


def split_tokens(backbone: nn.Module, output: Outputs) -> Outputs:
    """Split class token and patch tokens.

    Other tokens are left out: the distillation token of DeiT, and registers.

    Args:
        backbone (nn.Module): Of the hosts or of timm.
        output (Tensor or Sequence): One of its stages.

    Returns:
        Tensor or Sequence: Patch tokens (N, L, C) and, if there is one, the
        class token (N, C). Maps are returned unchanged, and so are tokens if
        the backbone does not state how many of them are not patches.
    """
    network = getattr(backbone, 'timm_model', backbone)
    extra = getattr(network, 'num_extra_tokens',
                    getattr(network, 'num_prefix_tokens', 0))
    if not extra or not isinstance(output, Tensor) or output.ndim != 3:
        return output
    patches = output[:, extra:]
    has_class_token = getattr(network, 'cls_token', None) is not None
    return [patches, output[:, 0]] if has_class_token else patches


def grid_of(outputs: Outputs, image_size: Size = (1, 1)) -> Size:
    """Rows and columns of the last feature map of a backbone's output.

    Args:
        outputs (Tensor or Sequence): As in :func:`feature_map`.
        image_size (tuple[int, int]): Height and width of the images, to infer
            the grid of tokens. Defaults to a square.

    Raises:
        ValueError: If the last output has no rows and columns.
    """
    last, token = split_outputs(outputs)
    if last.ndim == 4:
        return last.shape[2], last.shape[3]
    if last.ndim == 3:
        count = last.shape[1]
        height, width = image_size
        rows = (count * height / width)**0.5
        if token is not None:  # all others are patches
            return nearest_grid(count, rows)
        rows = round(rows)
        cols = round(rows * width / height)
        if count - rows * cols in (0, 1):
            return rows, cols
    raise ValueError(NO_MAP.format(tuple(last.shape), ANOTHER))


def nearest_grid(count: int, rows: float) -> Size:
    """Rows and columns of a number of patches, nearest to a number of rows.

    Views whose sides are not multiples of the patch size have other
    proportions.
    """
    divisors = [n for n in range(1, count + 1) if count % n == 0]
    nearest = min(divisors, key=lambda n: abs(math.log(n / rows)))
    return nearest, count // nearest


def feature_map(outputs: Outputs, image_size: Size = (1, 1)) -> Tensor:
    """The last feature map of a backbone's output.

    Args:
        outputs (Tensor or Sequence): A map or tokens, or the outputs of
            several stages, whose last one is used. A stage of a vision
            transformer may be tokens (N, L, C), with or without a class token
            in front, or a list of a map and the class token, and maybe a
            distillation token.
        image_size (tuple[int, int]): Height and width of the images, to infer
            the grid of tokens. Defaults to a square.

    Returns:
        Tensor: Shape (N, C, H, W).

    Raises:
        ValueError: If the last output has no rows and columns.
    """
    rows, cols = grid_of(outputs, image_size)
    last, _ = split_outputs(outputs)
    if last.ndim == 4:
        return last
    patches = last[:, -rows * cols:].transpose(1, 2)  # (N, C, H * W)
    return patches.unflatten(2, (rows, cols))


def class_token(outputs: Outputs, image_size: Size = (1, 1)) -> Token:
    """The class token in a backbone's output, or None.

    Args:
        outputs (Tensor or Sequence): As in :func:`feature_map`.
        image_size (tuple[int, int]): As in :func:`feature_map`.

    Returns:
        Tensor or None: Shape (N, C).
    """
    last, token = split_outputs(outputs)
    if last.ndim == 3 and token is None:
        rows, cols = grid_of(outputs, image_size)
        return last[:, 0] if last.shape[1] > rows * cols else None
    return token


def image_features(outputs: Outputs, image_size: Size = (1, 1)) -> Tensor:
    """One vector per image, as algorithms project it.

    Args:
        outputs (Tensor or Sequence): As in :func:`feature_map`, or vectors.
        image_size (tuple[int, int]): As in :func:`feature_map`.

    Returns:
        Tensor: Shape (N, C): the class token if there is one, or the mean
        of the last feature map.
    """
    last, _ = split_outputs(outputs)
    if last.ndim == 2:
        return last
    token = class_token(outputs, image_size)
    if token is not None:
        return token
    return feature_map(outputs, image_size).mean((2, 3))
