"""Faster transforms with the names and settings of MMSelfSup's.

They draw the same random numbers as MMSelfSup's and mmcv's, so that a seed
gives the same views up to the differences that ``image_ops.py`` states. They
do not depend on the host.
"""
import math
import random
from typing import Optional, Sequence, Tuple, Union

import cv2
import mmcv.transforms
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmregioncl.registry import TRANSFORMS
from mmregioncl.validation import (check_choice, check_probability, check_size,
                                   check_whole_number, is_number, is_span)
from .image_ops import (gaussian_blur, jitter_bands, jitter_colors,
                        resize_crop, solarize, weighted_gray)

__all__ = [
    'ColorJitter', 'RandomFlip', 'RandomGaussianBlur', 'RandomGrayscale',
    'RandomResizedCrop', 'RandomSolarize'
]

Range = Union[float, Sequence[float]]
Size = Tuple[int, int]
Span = Tuple[float, float]

BACKENDS = ('cv2', 'pillow')
INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos')


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Crop a random part of an image and resize it.

    With ``backend='pillow'``, bilinear and bicubic resizing use PyTorch's
    antialiased kernels.

    Args:
        size (int or Sequence[int]): Height and width of the result in pixels.
        scale (tuple[float, float]): Range of the area of a crop, as a fraction
            of the image. Defaults to (0.08, 1.0).
        ratio (tuple[float, float]): Range of the aspect ratio, width by
            height. Defaults to (3 / 4, 4 / 3).
        max_attempts (int): Number of draws. If none fits into the image, the
            largest central crop within `ratio` is used. Defaults to 10.
        interpolation (str): Argument of ``mmcv.imresize``. Defaults to
            'bilinear'.
        backend (str): 'cv2' or 'pillow'. Defaults to 'cv2'.
    """

    def __init__(self,
                 size: Union[int, Sequence[int]],
                 scale: Span = (0.08, 1.0),
                 ratio: Span = (3. / 4., 4. / 3.),
                 max_attempts: int = 10,
                 interpolation: str = 'bilinear',
                 backend: str = 'cv2') -> None:
        owner = type(self).__name__
        self.size = check_size(size, owner)
        for name, span in (('scale', scale), ('ratio', ratio)):
            if not is_span(span) or span[0] == 0:
                raise ValueError(f'{name}={span} of {owner} has to be a range '
                                 'of positive numbers')
        if scale[0] > 1:
            raise ValueError(f'scale={scale} of {owner} has to begin at 1 or '
                             'less: no crop would fit into the image')
        self.scale = scale
        self.ratio = ratio
        self.max_attempts = check_whole_number('max_attempts', max_attempts,
                                               owner)
        self.interpolation = check_choice('interpolation', interpolation,
                                          owner, INTERPOLATIONS)
        self.backend = check_choice('backend', backend, owner, BACKENDS)

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, C) by a resized random crop."""
        return self.set_crop(
            results,
            *draw_crop(results['img'].shape[:2], self.scale, self.ratio,
                       self.max_attempts))

    def set_crop(self, results: dict, top: int, left: int, height: int,
                 width: int) -> dict:
        """Replace ``img`` by a resized crop, and set ``img_shape``."""
        results['img'] = resize_crop(results['img'], (top, left),
                                     (height, width), self.size,
                                     self.interpolation, self.backend)
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(size={self.size}, scale={self.scale}, '
                f'ratio={self.ratio}, max_attempts={self.max_attempts}, '
                f'interpolation={self.interpolation}, backend={self.backend})')


def draw_crop(shape: Size,
              scale: Span,
              ratio: Span,
              max_attempts: int = 10) -> Tuple[int, int, int, int]:
    """Draw a crop of an image.

    Args:
        shape (tuple[int, int]): Height and width of the image in pixels.
        scale, ratio, max_attempts: As of the transform.

    Returns:
        tuple[int, int, int, int]: Top, left, height and width in pixels.
    """
    size = draw_crop_size(shape, scale, ratio, max_attempts)
    if size is None:
        return central_crop(shape, ratio)
    top, left = (random.randint(0, length - side)
                 for length, side in zip(shape, size))
    return top, left, *size


def draw_crop_size(shape: Size, scale: Span, ratio: Span,
                   max_attempts: int) -> Optional[Size]:
    """Draw height and width of a crop; None if no draw fits the image."""
    rows, cols = shape
    logs = math.log(ratio[0]), math.log(ratio[1])
    for _ in range(max_attempts):
        area = random.uniform(*scale) * rows * cols
        aspect = math.exp(random.uniform(*logs))
        width = int(round(math.sqrt(area * aspect)))
        height = int(round(math.sqrt(area / aspect)))
        if 0 < width <= cols and 0 < height <= rows:
            return height, width
    return None


def central_crop(shape: Size, ratio: Span) -> Tuple[int, int, int, int]:
    """The largest central crop within a range of aspect ratios."""
    height, width = largest_crop(shape, ratio)
    return (shape[0] - height) // 2, (shape[1] - width) // 2, height, width


def largest_crop(shape: Size, ratio: Span) -> Size:
    """Height and width of the largest crop within a range of ratios."""
    rows, cols = shape
    if cols / rows < min(ratio):
        return int(round(cols / min(ratio))), cols
    if cols / rows > max(ratio):
        return rows, int(round(rows * max(ratio)))
    return rows, cols


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Change brightness, contrast, saturation and hue in random order.

    All changes are made in as few passes as possible. Images that do not have
    three channels have no saturation and hue; their brightness and contrast
    change by the same factors in each channel.

    Args:
        brightness, contrast, saturation (float or Sequence[float]): Range of
            the factor, or a number b for the range from max(0, 1 - b) to
            1 + b. Defaults to 0, no change.
        hue (float or Sequence[float]): Range of the shift, within -0.5 and
            0.5, or a number h for the range from -h to h. Defaults to 0.
        backend (str): 'pillow', or 'cv2' for mmcv's functions with OpenCV.
            Defaults to 'pillow'.
    """

    def __init__(self,
                 brightness: Range = 0,
                 contrast: Range = 0,
                 saturation: Range = 0,
                 hue: Range = 0,
                 backend: str = 'pillow') -> None:
        self.brightness = factor_range('brightness', brightness)
        self.contrast = factor_range('contrast', contrast)
        self.saturation = factor_range('saturation', saturation)
        self.hue = factor_range('hue', hue, neutral=0, low=-0.5, high=0.5)
        self.backend = check_choice('backend', backend,
                                    type(self).__name__, BACKENDS)

    def transform(self, results: dict) -> dict:
        """Jitter the colors of ``img`` (H, W, C).

        Raises:
            ValueError: If saturation or hue of an image without three channels
                is to change.
        """
        order = np.random.permutation(4)
        factors = [
            None if span is None else float(np.random.uniform(*span))
            for span in (self.brightness, self.contrast, self.saturation,
                         self.hue)
        ]
        img = results['img'].astype('uint8', copy=False)
        channels = math.prod(img.shape[2:])  # 1 of a gray image (H, W)
        if channels != 3:
            check_colors(self, channels)
            results['img'] = jitter_bands(img, *factors[:2], order)
            return results
        if self.backend == 'pillow':
            results['img'] = jitter_colors(img, *factors, order)
            return results
        changes = (mmcv.adjust_brightness, mmcv.adjust_contrast,
                   mmcv.adjust_color, mmcv.adjust_hue)
        for step in order:
            if factors[step] is not None:
                img = changes[step](img, factors[step], backend=self.backend)
        results['img'] = img
        return results

    @property
    def needs_colors(self) -> bool:
        """Whether it changes what only color images have."""
        return (self.saturation, self.hue) != (None, None)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(brightness={self.brightness}, '
                f'contrast={self.contrast}, saturation={self.saturation}, '
                f'hue={self.hue}, backend={self.backend})')


def check_colors(step: BaseTransform, channels: int) -> None:
    """Refuse to change the colors of images that have none.

    Raises:
        ValueError: If the images do not have three channels.
    """
    if channels == 3 or not getattr(step, 'needs_colors', True):
        return
    name, what, remedy = type(step).__name__, 'colors', 'leave it out'
    if name == 'ColorJitter':
        what = 'saturation or hue'
        remedy = 'use mmregioncl.ColorJitter with brightness and contrast only'
    raise ValueError(f'{name} changes {what}, which images of {channels} '
                     f'channel(s) do not have: {remedy}')


def factor_range(name: str,
                 given: Range,
                 neutral: float = 1,
                 low: float = 0,
                 high: float = math.inf) -> Optional[Span]:
    """Range of a factor, None if it changes nothing.

    Args:
        name (str): Name of the setting, for errors.
        given (float or Sequence[float]): The range, or its half width.
        neutral (float): The factor that changes nothing. Defaults to 1.
        low, high (float): Limits. A half width is clipped to the lower one.

    Raises:
        ValueError: If the range is empty or exceeds the limits.
    """
    span = given
    if is_number(given):
        width = float(given)
        span = (max(low, neutral - width), neutral + width)
    if not is_span(span, low, high):
        raise ValueError(f'{name}={given} of ColorJitter has to be a number '
                         f'from 0 on, or a range within ({low}, {high})')
    return None if tuple(span) == (neutral, neutral) else tuple(span)


@TRANSFORMS.register_module()
class RandomGrayscale(mmcv.transforms.RandomGrayscale):
    """``RandomGrayscale`` of mmcv, in integer arithmetic.

    This applies to BGR or RGB images that keep three channels. Everything else
    is left to the parent.
    """
    needs_colors = True

    def transform(self, results: dict) -> dict:
        """Convert ``img`` (H, W, 3) to grayscale.

        Raises:
            ValueError: If it does not have three channels.
        """
        img = results['img']
        check_colors(self, math.prod(img.shape[2:]))
        if (self.color_format == 'hsv' or not self.keep_channels
                or img.ndim != 3 or img.dtype != np.uint8
                or img.shape[2] != len(self.channel_weights)):
            return super().transform(results)
        if self._random_prob() < self.prob:
            results['img'] = weighted_gray(img, self.channel_weights)
        return results


@TRANSFORMS.register_module()
class RandomGaussianBlur(BaseTransform):
    """Blur an image with a random sigma, with OpenCV (SimCLR, Appendix A).

    Args:
        sigma_min, sigma_max (float): Range of the standard deviation of the
            kernel in pixels.
        prob (float): Probability. Defaults to 0.5.
    """

    def __init__(self,
                 sigma_min: float,
                 sigma_max: float,
                 prob: float = 0.5) -> None:
        if not is_span((sigma_min, sigma_max)):
            raise ValueError(
                f'sigma_min={sigma_min} and sigma_max={sigma_max} of '
                'RandomGaussianBlur have to be a range of numbers from 0 on')
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max
        self.prob = check_probability('prob', prob, type(self).__name__)

    def transform(self, results: dict) -> dict:
        """Blur ``img`` (H, W, C)."""
        if np.random.rand() > self.prob:
            return results
        sigma = np.random.uniform(self.sigma_min, self.sigma_max)
        img = results['img'].astype('uint8', copy=False)
        results['img'] = gaussian_blur(img, sigma).reshape(img.shape)
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(sigma_min={self.sigma_min}, '
                f'sigma_max={self.sigma_max}, prob={self.prob})')


@TRANSFORMS.register_module()
class RandomSolarize(BaseTransform):
    """Invert the bright pixels of an image (BYOL, Appendix B).

    Args:
        threshold (int): The darkest value to invert. Defaults to 128.
        prob (float): Probability. Defaults to 0.5.
    """

    def __init__(self, threshold: int = 128, prob: float = 0.5) -> None:
        self.threshold = threshold
        self.prob = check_probability('prob', prob, type(self).__name__)

    def transform(self, results: dict) -> dict:
        """Invert the bright pixels of ``img`` (H, W, C)."""
        if np.random.rand() > self.prob:
            return results
        img = results['img']
        if img.dtype == np.uint8:
            results['img'] = solarize(img, self.threshold).reshape(img.shape)
        else:
            results['img'] = mmcv.solarize(img, thr=self.threshold)
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(threshold={self.threshold}, '
                f'prob={self.prob})')


@TRANSFORMS.register_module()
class RandomFlip(mmcv.transforms.RandomFlip):
    """``RandomFlip`` of mmcv, with OpenCV for images without annotations.

    The result is contiguous, which makes packing faster.
    """
    codes = dict(horizontal=1, vertical=0, diagonal=-1)

    def _flip(self, results: dict) -> None:
        img = results['img']
        if img.dtype != np.uint8 or any(
                results.get(key) is not None
                for key in ('gt_bboxes', 'gt_keypoints', 'gt_seg_map')):
            super()._flip(results)
            return
        code = self.codes[results['flip_direction']]
        results['img'] = cv2.flip(img, code).reshape(img.shape)

    @cache_randomness
    def _choose_direction(self) -> Optional[str]:
        # Equals numpy.random.choice of two options, without its overhead
        if isinstance(self.direction, str) and isinstance(self.prob, float):
            return self.direction if np.random.rand() < self.prob else None
        return super()._choose_direction()
