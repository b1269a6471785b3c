"""ColorJitter raises an OverflowError with mmcv 2.0.1 and numpy >= 2.

``mmcv.adjust_hue`` shifts the hue by ``np.uint8(hue_factor * 255)`` and relies
on negative numbers to wrap around, which numpy 2 refuses.
"""
from typing import Optional

import cv2
import mmcv
import numpy as np
from PIL import Image

from .substitute import substitute


def patch() -> None:
    original = mmcv.adjust_hue
    try:
        original(np.zeros((1, 1, 3), np.uint8), -0.1, backend='cv2')
    except OverflowError:
        substitute(original, adjust_hue)


def adjust_hue(img: np.ndarray,
               hue_factor: float,
               backend: Optional[str] = None) -> np.ndarray:
    """Shift the hue of an image, as mmcv does under numpy 1.

    Args:
        img (ndarray): BGR image of shape (H, W, 3). The pillow backend takes
            uint8 only.
        hue_factor (float): Shift as a fraction of the color circle, in
            [-0.5, 0.5].
        backend (str, optional): 'cv2' or 'pillow'. Defaults to None, the
            global backend of mmcv.

    Returns:
        ndarray: BGR image of shape (H, W, 3) and of the dtype of `img`.

    Raises:
        ValueError: If `backend` or `hue_factor` is out of range.
        TypeError: If `img` is not an array with 2 or 3 axes.
    """
    if backend is None:
        backend = mmcv.image.io.imread_backend
    if backend not in ('cv2', 'pillow'):
        raise ValueError(f'backend={backend!r} must be "cv2" or "pillow"')
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f'hue_factor={hue_factor} is not in [-0.5, 0.5]')
    if not (isinstance(img, np.ndarray) and img.ndim in (2, 3)):
        raise TypeError('img must be an array with 2 or 3 axes')

    # Truncate towards zero, then wrap, as numpy 1 casts to uint8.
    shift = np.uint8(int(hue_factor * 255) % 256)
    if backend == 'cv2':
        hsv = cv2.cvtColor(img.astype(np.uint8), cv2.COLOR_BGR2HSV_FULL)
        hsv[..., 0] += shift
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR_FULL).astype(img.dtype)

    assert img.dtype == np.uint8, 'the pillow backend takes uint8 images'
    hsv = np.array(Image.fromarray(img[..., ::-1]).convert('HSV'))
    hsv[..., 0] += shift
    rgb = Image.frombuffer('HSV', hsv.shape[1::-1], hsv.tobytes(), 'raw',
                           'HSV', 0, 1).convert('RGB')
    return np.array(rgb)[..., ::-1]
