"""What a backbone returns: a feature map, tokens, a class token."""
from typing import Optional, Sequence, Tuple, Union

from torch import Tensor

Outputs = Union[Tensor, Sequence]
Size = Tuple[int, int]
Token = Optional[Tensor]

NO_MAP = ('the backbone gives something else than feature maps (N, C, H, W), '
          'of shapes {}: {}')
ANOTHER = 'take a backbone or settings with which it returns a map'
# Settings with which backbones that have them return a map
MAP_SETTINGS = dict(
    out_type='featmap',  # vision transformers of MMPretrain
    output_cls_token=False,  # of mmcls
    gap_before_final_norm=False,  # ConvNeXt
    reshape_last_feat=True)  # EfficientFormer


def split_outputs(outputs: Outputs) -> Tuple[Tensor, Token]:
    """The last stage of a backbone's output, and its class token if any."""
    last = outputs if isinstance(outputs, Tensor) or not outputs else \
        outputs[-1]
    if isinstance(last, Tensor):
        return last, None
    dims = [getattr(part, 'ndim', None) for part in last or ()]
    if dims not in ([3, 2], [4, 2]):
        raise ValueError(NO_MAP.format(dims, ANOTHER))
    return last[0], last[1]


def grid_of(outputs: Outputs, image_size: Size = (1, 1)) -> Size:
    """Rows and columns of the last feature map of a backbone's output.

    Args:
        outputs (Tensor or Sequence): As in :func:`feature_map`.
        image_size (tuple[int, int]): Height and width of the images, which
            tell the shape of a grid of tokens. Defaults to a square.

    Raises:
        ValueError: If the last output has no rows and columns.
    """
    last, _ = split_outputs(outputs)
    if last.ndim == 4:
        return last.shape[2], last.shape[3]
    if last.ndim == 3:
        height, width = image_size
        rows = round((last.shape[1] * height / width)**0.5)
        cols = round(rows * width / height)
        if last.shape[1] - rows * cols in (0, 1):
            return rows, cols
    raise ValueError(NO_MAP.format(tuple(last.shape), ANOTHER))


def feature_map(outputs: Outputs, image_size: Size = (1, 1)) -> Tensor:
    """The last feature map of a backbone's output.

    Args:
        outputs (Tensor or Sequence): A map or tokens, or the outputs of
            several stages of which the last one counts. A stage of a vision
            transformer may be tokens (N, L, C), with or without a class token
            in front, or a pair of a map and the class token.
        image_size (tuple[int, int]): Height and width of the images, which
            tell the shape of a grid of tokens. Defaults to a square.

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


def image_features(outputs: Outputs) -> Tensor:
    """One vector for each image: what an algorithm projects of whole views.

    Args:
        outputs (Tensor or Sequence): As in :func:`feature_map`, or vectors.

    Returns:
        Tensor: Shape (N, C): the class token if there is one, else the mean
        of the last feature map.
    """
    last, _ = split_outputs(outputs)
    if last.ndim == 2:
        return last
    token = class_token(outputs)
    return feature_map(outputs).mean((2, 3)) if token is None else token
