"""Faster versions of mmselfsup's transforms, with the same names.

They draw the same random numbers as their parents, so that a seed gives the
same views up to the differences that ``image_ops.py`` states.
"""
import copy
from typing import Optional

import cv2
import mmcv.transforms
import numpy as np
import torch
from mmcv.transforms.utils import cache_randomness
from mmselfsup.datasets import transforms as upstream

from mmregioncl.registry import TRANSFORMS
from .image_ops import (gaussian_blur, jitter_colors, resize_crop, solarize,
                        weighted_gray)

__all__ = [
    'ColorJitter', 'MultiView', 'PackSelfSupInputs', 'RandomFlip',
    'RandomGaussianBlur', 'RandomGrayscale', 'RandomResizedCrop',
    'RandomSolarize'
]


@TRANSFORMS.register_module()
class RandomResizedCrop(upstream.RandomResizedCrop):
    """``RandomResizedCrop`` of mmselfsup, without a copy of the crop.

    With ``backend='pillow'``, bilinear and bicubic resizing use PyTorch's
    antialiased kernels. Everything else is left to the parent.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, C) by a resized random crop."""
        top, left, bottom, right = self.get_params(results['img'], self.scale,
                                                   self.ratio,
                                                   self.max_attempts)
        return self.set_crop(results, top, left, bottom - top + 1,
                             right - left + 1)

    def set_crop(self, results: dict, top: int, left: int, height: int,
                 width: int) -> dict:
        """Replace ``img`` by a resized crop, and set ``img_shape``."""
        results['img'] = resize_crop(results['img'], (top, left),
                                     (height, width), self.size,
                                     self.interpolation, self.backend)
        results['img_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module()
class ColorJitter(upstream.ColorJitter):
    """``ColorJitter`` of mmselfsup, in as few passes as possible.

    ``backend='cv2'`` is left to the parent.
    """

    def transform(self, results: dict) -> dict:
        """Jitter the colours of ``img`` (H, W, 3)."""
        if self.backend != 'pillow':
            return super().transform(results)
        *factors, order = self.get_params(self.brightness, self.contrast,
                                          self.saturation, self.hue)
        results['img'] = jitter_colors(
            results['img'].astype('uint8', copy=False), *factors, order)
        return results


@TRANSFORMS.register_module()
class RandomGrayscale(mmcv.transforms.RandomGrayscale):
    """``RandomGrayscale`` of mmcv, in integer arithmetic.

    This applies to BGR or RGB images that keep three channels. Everything else
    is left to the parent.
    """

    def transform(self, results: dict) -> dict:
        """Convert ``img`` (H, W, C) to grayscale."""
        img = results['img']
        if (self.color_format == 'hsv' or not self.keep_channels
                or img.ndim != 3 or img.dtype != np.uint8
                or img.shape[2] != len(self.channel_weights)):
            return super().transform(results)
        if self._random_prob() < self.prob:
            results['img'] = weighted_gray(img, self.channel_weights)
        return results


@TRANSFORMS.register_module()
class RandomGaussianBlur(upstream.RandomGaussianBlur):
    """``RandomGaussianBlur`` of mmselfsup, with OpenCV."""

    def transform(self, results: dict) -> dict:
        """Blur ``img`` (H, W, C)."""
        if np.random.rand() > self.prob:
            return results
        sigma = np.random.uniform(self.sigma_min, self.sigma_max)
        img = results['img'].astype('uint8', copy=False)
        results['img'] = gaussian_blur(img, sigma).reshape(img.shape)
        return results


@TRANSFORMS.register_module()
class RandomSolarize(upstream.RandomSolarize):
    """``RandomSolarize`` of mmselfsup, with a lookup table."""

    def transform(self, results: dict) -> dict:
        """Invert the bright pixels of ``img`` (H, W, C)."""
        if results['img'].dtype != np.uint8:
            return super().transform(results)
        if np.random.rand() <= self.prob:
            img = results['img']
            results['img'] = solarize(img, self.threshold).reshape(img.shape)
        return results


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


@TRANSFORMS.register_module()
class MultiView(upstream.MultiView):
    """``MultiView`` of mmselfsup, without needless copies of the image.

    A pipeline that begins with ``RandomResizedCrop`` does not change its input
    and shares the image. Others get a deep copy, as in the parent.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img`` by the list of its views."""
        views = []
        for pipeline in self.transforms:
            first = next(iter(pipeline.transforms), None)
            shared = {}  # objects that deepcopy does not copy
            if isinstance(first, upstream.RandomResizedCrop):
                shared[id(results['img'])] = results['img']
            views.append(pipeline(copy.deepcopy(results, shared))['img'])
        results['img'] = views
        return results


@TRANSFORMS.register_module()
class PackSelfSupInputs(upstream.PackSelfSupInputs):
    """``PackSelfSupInputs`` of mmselfsup, without empty data samples.

    Without algorithm_keys, pseudo_label_keys and meta_keys, ``data_samples``
    is an empty list, so that no object is pickled for each image.
    """

    def transform(self, results: dict) -> dict:
        """Pack ``img``, one or a list of (H, W, C), as (C, H, W) tensors."""
        imgs = results.get(self.key)
        imgs = imgs if isinstance(imgs, list) else [imgs]
        if any(img is None or img.ndim != 3 or img.dtype != np.uint8
               for img in imgs):
            return super().transform(results)
        inputs = [channels_first(img) for img in imgs]
        if not (self.algorithm_keys or self.pseudo_label_keys
                or self.meta_keys):
            return dict(inputs=inputs, data_samples=[])
        others = {k: v for k, v in results.items() if k != self.key}
        return dict(inputs=inputs, **super().transform(others))


def channels_first(img: np.ndarray) -> torch.Tensor:
    """Convert an image (H, W, C) to a tensor (C, H, W)."""
    planes = np.empty((img.shape[2], *img.shape[:2]), img.dtype)
    cv2.split(img, list(planes))  # writes into them
    return torch.from_numpy(planes)
