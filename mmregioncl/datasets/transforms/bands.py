"""Images of any depth and any number of bands, as 8-bit arrays."""
from functools import lru_cache
from typing import Optional, Sequence, Tuple, Union

import cv2
import numpy as np
from mmcv.transforms import Resize

from . import tiff
from .image_ops import resize_crop

MORE_IMAGES = (
    ', or save its bands in one page, since only the first image is '
    'read')

Range = Tuple[float, float]
Ranges = Union[Range, Tuple[Range, ...]]  # one, or one for each band
UNREADABLE = ('no decoder can read it: it is damaged, incomplete, or of an '
              'unsupported format')


class UnfitImage(ValueError):
    """An image that other settings of ``LoadImage`` can load."""


def read_image(content: bytes, channels: int, value_range: Optional[Ranges],
               header: Optional[tiff.TiffHeader]) -> np.ndarray:
    """Decode an image of any depth and map its values to 8 bits.

    Args:
        content (bytes): Content of the file.
        channels (int): 3 for BGR, 1 for gray; any other number has to be that
            of the bands in the file, which keep their order.
        value_range (Ranges, optional): See :func:`to_bytes`.
        header (TiffHeader, optional): Of the file, if it is a TIFF.

    Returns:
        np.ndarray: Shape (H, W, channels), uint8.

    Raises:
        ValueError: If it cannot be decoded, has other bands, or needs a value
            range.
    """
    values = read_values(content, channels, header)
    try:
        values = fit_bands(values, channels)
    except UnfitImage as error:
        if header is not None and header.has_more_images():
            error.args = (f'{error}{MORE_IMAGES}', )
        raise
    img = to_bytes(values, value_range)
    return np.ascontiguousarray(img[..., ::-1]) if channels == 3 else img


def read_values(content: bytes, channels: int,
                header: Optional[tiff.TiffHeader]) -> np.ndarray:
    """Decode an image without changing its values.

    Args:
        content (bytes): Content of the file.
        channels (int): The number that is wanted, since OpenCV supports more
            types of gray and color images than of others.
        header (TiffHeader, optional): Of the file, if it is a TIFF.

    Returns:
        np.ndarray: Shape (H, W, C) of any type, in the order of the file: RGB
        for color images.

    Raises:
        ValueError: If no decoder can read it.
    """
    values = None
    if header is not None:
        values = tiff.read_tiff(header, channels)
    if values is None:
        kinds = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR}
        flag = cv2.IMREAD_UNCHANGED
        if channels in kinds:
            flag = kinds[channels] | cv2.IMREAD_ANYDEPTH
        values = cv2.imdecode(np.frombuffer(content, np.uint8), flag)
        if values is None:
            if tiff.tifffile is None and content.startswith(tiff.STARTS):
                raise UnfitImage(
                    'OpenCV cannot decode this TIFF: repair or remove it, or '
                    'install tifffile and imagecodecs by pip install '
                    "'mmregioncl[tiff]'")
            raise ValueError(UNREADABLE)
        values = values.reshape(*values.shape[:2], -1)
        colors = min(3, values.shape[2])  # and alpha, which stays the last
        values = np.dstack((values[..., colors - 1::-1], values[..., colors:]))
    return values


def fit_bands(values: np.ndarray, channels: int) -> np.ndarray:
    """Turn gray into color, color into gray, and drop a fourth band.

    Args:
        values (np.ndarray): Shape (H, W, C), in the order of the file.
        channels (int): The number that is wanted.

    Returns:
        np.ndarray: Shape (H, W, channels), in the order of the file.

    Raises:
        ValueError: If the image has another number of bands.
    """
    bands = values.shape[2]
    if bands == channels:
        return values
    if channels == 3 and bands == 1:
        return values.repeat(3, -1)
    if channels == 3 and bands == 4:
        return values[..., :3]
    if channels == 1 and bands in (3, 4):
        colors = np.ascontiguousarray(values[..., :3])
        if colors.dtype not in (np.uint8,
                                np.uint16):  # OpenCV supports few types
            colors = colors.astype(np.float32)
        return cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY)[..., None]
    raise UnfitImage(f'it has {bands} band(s): set channels={bands} of '
                     f'LoadImage instead of {channels}')


def to_bytes(values: np.ndarray, value_range: Optional[Ranges]) -> np.ndarray:
    """Map values to 8 bits.

    Args:
        values (np.ndarray): Shape (H, W, C) of any type.
        value_range (Ranges, optional): The values that become 0 and 255, or a
            pair for each band. Values between are mapped linearly and
            rounded, others are clipped, and NaN becomes 0. None for the whole
            range of the type.

    Returns:
        np.ndarray: Shape (H, W, C), uint8.

    Raises:
        ValueError: If there are not as many pairs as bands, or if
            ``value_range`` is None and the type has more than 16 bits.
    """
    if values.dtype == bool:
        values, value_range = values.astype(np.uint8), value_range or (0, 1)
    kind = values.dtype
    if kind.kind == 'c':
        raise UnfitImage(f'it has values of type {kind}: save their '
                         'magnitude')
    small = kind.kind in 'ui' and kind.itemsize <= 2
    if value_range is None:
        if kind == np.uint8:
            return values
        if not small:
            raise UnfitImage(
                f'it has values of type {kind}: set value_range of LoadImage'
                ' to what tools/analysis_tools/measure_images.py prints')
        value_range = (np.iinfo(kind).min, np.iinfo(kind).max)
    bands = values.shape[2]
    pairs = value_range if np.ndim(value_range) == 2 else [value_range] * bands
    if len(pairs) != bands:
        raise UnfitImage(f'it has {bands} bands, but value_range of LoadImage '
                         f'has {len(pairs)} pairs: set one for each band')
    mapped = np.empty(values.shape, np.uint8)
    for band, pair in enumerate(pairs):
        if small:
            table = byte_table(kind.str, *pair)
            index = values[..., band].astype(np.int32) - np.iinfo(kind).min
            mapped[..., band] = table[index]
        else:
            mapped[..., band] = scale_to_bytes(values[..., band], *pair)
    return mapped


@lru_cache
def byte_table(kind: str, low: float, high: float) -> np.ndarray:
    """Bytes of all values of an integer type, from the smallest."""
    limits = np.iinfo(kind)
    return scale_to_bytes(np.arange(limits.min, limits.max + 1), low, high)


def scale_to_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map ``low`` to 0 and ``high`` to 255, and round and clip the rest."""
    scaled = (values.astype(np.float64) - low) * 255 / (high - low)
    return np.rint(np.nan_to_num(scaled).clip(0, 255)).astype(np.uint8)


def check_value_range(value_range: Union[Ranges, Sequence]) -> Ranges:
    """Return a value range as tuples.

    Raises:
        ValueError: If it is neither a pair nor pairs of rising numbers.
    """
    try:
        array = np.array(value_range, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    with np.errstate(all='ignore'):
        fine = array.shape[-1:] == (2, ) and array.ndim <= 2 and np.all(
            array[..., 0] < array[..., 1]) and np.isfinite(
                255 / np.diff(array)).all() and np.isfinite(
                    np.diff(array)).all()
    if not fine:
        raise ValueError(
            f'value_range={value_range} of LoadImage has to be the values that'
            ' become 0 and 255, the lower one first, or a pair for each band')
    pairs = array.tolist()
    return tuple(pairs) if array.ndim == 1 else tuple(map(tuple, pairs))


class ResizeBands(Resize):
    """``Resize`` of mmcv, for any number of bands.

    Pillow would treat the last of two or four bands as alpha, which weights
    the others, and supports no other number but three.
    """

    def _resize_img(self, results: dict) -> None:
        img = results['img']
        if img.ndim == 2 or img.shape[2] == 3:
            super()._resize_img(results)
            return
        size = results['scale'][::-1]
        results['img'] = resize_crop(
            img, (0, 0), img.shape[:2], size,
            backend='pillow').reshape(*size, img.shape[2])
        results['img_shape'] = size
