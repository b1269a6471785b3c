"""Views of an image, and the sample that an algorithm receives."""
import copy
from typing import Callable, List, Sequence, Union

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform, to_tensor
from mmengine.dataset import Compose
from mmengine.structures import BaseDataElement, LabelData

from mmregioncl.registry import TRANSFORMS
from .augmentations import RandomResizedCrop

__all__ = ['MultiView', 'PackSelfSupInputs']


@TRANSFORMS.register_module()
class MultiView(BaseTransform):
    """Make several views of an image, without needless copies.

    A pipeline that begins with this package's ``RandomResizedCrop`` does not
    change its input and shares the image. Others get a deep copy.

    Args:
        transforms (list[list[dict or Callable]]): Pipelines.
        num_views (int or list[int]): Number of views of each pipeline.
    """

    def __init__(self, transforms: List[List[Union[dict, Callable]]],
                 num_views: Union[int, List[int]]) -> None:
        counts = [num_views] if isinstance(num_views, int) else num_views
        if len(counts) != len(transforms):
            raise ValueError(
                f'num_views={num_views} of MultiView has to name a number for '
                f'each of the {len(transforms)} pipelines')
        self.num_views = counts
        self.pipelines = [Compose(pipeline) for pipeline in transforms]
        self.transforms = [
            pipeline for pipeline, count in zip(self.pipelines, counts)
            for _ in range(count)
        ]

    def transform(self, results: dict) -> dict:
        """Replace ``img`` by the list of its views."""
        views = []
        for pipeline in self.transforms:
            first = next(iter(pipeline.transforms), None)
            shared = {}  # objects that deepcopy does not copy
            if isinstance(first, RandomResizedCrop):
                shared[id(results['img'])] = results['img']
            views.append(pipeline(copy.deepcopy(results, shared))['img'])
        results['img'] = views
        return results

    def __repr__(self) -> str:
        pipelines = '\n'.join(
            f'{count} views: {pipeline}'
            for count, pipeline in zip(self.num_views, self.pipelines))
        return f'{type(self).__name__}(\n{pipelines})'


@TRANSFORMS.register_module()
class PackSelfSupInputs(BaseTransform):
    """Pack an image or its views as the input of an algorithm.

    Without any keys, ``data_samples`` is an empty list, so that no object is
    pickled for each image.

    Args:
        key (str): Key of the image or of the list of views. Defaults to
            'img'.
        algorithm_keys (Sequence[str]): Keys of the sample to keep as data, as
            ``LabelData`` each. Defaults to ().
        pseudo_label_keys (Sequence[str]): Keys to keep in ``pseudo_label``.
            Defaults to ().
        meta_keys (Sequence[str]): Keys to keep as meta information. Defaults
            to ().
    """

    def __init__(
        self,
        key: str = 'img',
        algorithm_keys: Sequence[str] = (),
        pseudo_label_keys: Sequence[str] = (),
        meta_keys: Sequence[str] = ()
    ) -> None:
        self.key = key
        self.algorithm_keys = algorithm_keys
        self.pseudo_label_keys = pseudo_label_keys
        self.meta_keys = meta_keys

    def transform(self, results: dict) -> dict:
        """Pack ``img``, one or a list of (H, W, C), as (C, H, W) tensors."""
        imgs = results[self.key]
        inputs = [
            channels_first(img)
            for img in (imgs if isinstance(imgs, list) else [imgs])
        ]
        if not (self.algorithm_keys or self.pseudo_label_keys
                or self.meta_keys):
            return dict(inputs=inputs, data_samples=[])
        sample = BaseDataElement(
            metainfo={key: results[key]
                      for key in self.meta_keys})
        for key in self.algorithm_keys:
            setattr(sample, key, LabelData(value=to_tensor(results[key])))
        if self.pseudo_label_keys:
            sample.pseudo_label = LabelData(**{
                key: to_tensor(results[key])
                for key in self.pseudo_label_keys
            })
        return dict(inputs=inputs, data_samples=sample)


@TRANSFORMS.register_module()
class PackSeededInputs(PackSelfSupInputs):
    """Pack an image, and a seed for the views that the device makes of it.

    The seed is a draw of the data loader like any other: with
    ``SeededSampler`` it depends only on the seed of the run, the epoch and the
    image.
    """

    def transform(self, results: dict) -> dict:
        """Pack ``img`` (H, W, C) as a tensor (C, H, W), with ``seeds``."""
        seed = np.random.randint(2**63, dtype=np.int64)
        return dict(super().transform(results), seeds=int(seed))


def channels_first(img: np.ndarray) -> torch.Tensor:
    """Convert an image (H, W, C) or (H, W) to a tensor (C, H, W).

    Arrays of other shapes keep their layout.
    """
    if img.ndim not in (2, 3):
        return to_tensor(img)
    img = img[..., None] if img.ndim == 2 else img
    if img.dtype != np.uint8:
        return torch.from_numpy(np.ascontiguousarray(img.transpose(2, 0, 1)))
    planes = np.empty((img.shape[2], *img.shape[:2]), img.dtype)
    cv2.split(img, list(planes))  # writes into them
    return torch.from_numpy(planes)
