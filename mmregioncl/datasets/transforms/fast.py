"""Transforms of mmselfsup under their own names, several times faster.

Each draws by its parent's code, so that one seed gives both the same views, to
what ``pixels.py`` says. ``fast_transforms = False`` in a config goes back to
the parents; ContrastiveCrop, which has none, keeps the resize of this file.
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
from .pixels import (gaussian_blur, jitter_colors, resize_crop, solarize,
                     weighted_gray)

__all__ = [
    'ColorJitter', 'MultiView', 'PackSelfSupInputs', 'RandomFlip',
    'RandomGaussianBlur', 'RandomGrayscale', 'RandomResizedCrop',
    'RandomSolarize'
]


@TRANSFORMS.register_module()
class RandomResizedCrop(upstream.RandomResizedCrop):
    """``RandomResizedCrop`` of mmselfsup, without a copy of the crop.

    Bilinear and bicubic resizing by ``backend='pillow'`` is done by PyTorch's
    antialiased one; all else as by the parent.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, C) by a crop of it, and ``img_shape``."""
        top, left, bottom, right = self.get_params(results['img'], self.scale,
                                                   self.ratio,
                                                   self.max_attempts)
        return self.set_crop(results, top, left, bottom - top + 1,
                             right - left + 1)

    def set_crop(self, results: dict, top: int, left: int, height: int,
                 width: int) -> dict:
        """Replace ``img`` by this part of it, resized."""
        results['img'] = resize_crop(results['img'], (top, left),
                                     (height, width), self.size,
                                     self.interpolation, self.backend)
        results['img_shape'] = results['img'].shape[:2]
        return results


@TRANSFORMS.register_module()
class ColorJitter(upstream.ColorJitter):
    """``ColorJitter`` of mmselfsup, in as few passes as its factors allow.

    For ``backend='pillow'``, the default; 'cv2' is the parent's.
    """

    def transform(self, results: dict) -> dict:
        """Change the colours of ``img`` (H, W, 3)."""
        if self.backend != 'pillow':
            return super().transform(results)
        *factors, order = self.get_params(self.brightness, self.contrast,
                                          self.saturation, self.hue)
        results['img'] = jitter_colors(
            results['img'].astype('uint8', copy=False), *factors, order)
        return results


@TRANSFORMS.register_module()
class RandomGrayscale(mmcv.transforms.RandomGrayscale):
    """``RandomGrayscale`` of mmcv, in integers.

    For BGR or RGB images that keep three channels; all else is the parent's.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img`` (H, W, C) by its weighted gray."""
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
    """``RandomGaussianBlur`` of mmselfsup, by OpenCV."""

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
    """``RandomSolarize`` of mmselfsup, by a table."""

    def transform(self, results: dict) -> dict:
        """Invert what is bright in ``img`` (H, W, C)."""
        if results['img'].dtype != np.uint8:
            return super().transform(results)
        if np.random.rand() <= self.prob:
            img = results['img']
            results['img'] = solarize(img, self.threshold).reshape(img.shape)
        return results


@TRANSFORMS.register_module()
class RandomFlip(mmcv.transforms.RandomFlip):
    """``RandomFlip`` of mmcv, for images without annotations by OpenCV.

    Its result is contiguous, and packed sooner than a view with a negative
    stride.
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
        # numpy.random.choice of two, without its preparations
        if isinstance(self.direction, str) and isinstance(self.prob, float):
            return self.direction if np.random.rand() < self.prob else None
        return super()._choose_direction()


@TRANSFORMS.register_module()
class MultiView(upstream.MultiView):
    """``MultiView`` of mmselfsup, which copies no image that is cropped first.

    A pipeline that begins with ``RandomResizedCrop`` reads the image and makes
    one of its own; any other gets a deep copy, as by the parent.
    """

    def transform(self, results: dict) -> dict:
        """Replace ``img`` by the list of its views."""
        views = []
        for pipeline in self.transforms:
            first = next(iter(pipeline.transforms), None)
            kept = {}  # what a deep copy takes as it is
            if isinstance(first, upstream.RandomResizedCrop):
                kept[id(results['img'])] = results['img']
            views.append(pipeline(copy.deepcopy(results, kept))['img'])
        results['img'] = views
        return results


@TRANSFORMS.register_module()
class PackSelfSupInputs(upstream.PackSelfSupInputs):
    """``PackSelfSupInputs`` of mmselfsup, with samples only if they say more.

    Without algorithm_keys, pseudo_label_keys and meta_keys, ``data_samples``
    is an empty list, and no object has to be pickled for each image; an
    algorithm that reads samples names their keys.
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
    """An image (H, W, C) as a tensor (C, H, W)."""
    planes = np.empty((img.shape[2], *img.shape[:2]), img.dtype)
    cv2.split(img, list(planes))  # writes into them
    return torch.from_numpy(planes)
