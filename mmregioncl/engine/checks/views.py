"""Views of images, and what the model makes of them."""
from typing import Any, List

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmregioncl import host
from mmregioncl.datasets.nested import dotted_items, innermost, type_name
from mmregioncl.datasets.transforms import channels_of, check_color_steps
from mmregioncl.models.utils import RegionSwap, grid_of, preprocess
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.models.utils.region import default_size
from mmregioncl.randomness import kept_draws
from mmregioncl.registry import TRANSFORMS
from mmregioncl.validation import check_probability, is_number, is_span, listed
from ..failures import is_refusal
from ..loops import images_per_batch
from ..step_memory import rehearse


def is_size(sides: Any) -> bool:
    """Whether a value is a whole number of pixels, or several."""
    return all(
        is_number(side) and side >= 1 and side % 1 == 0
        for side in listed(sides))


def has_area(span: Any) -> bool:
    """Whether a value is a range of shares of an image, some of which fit."""
    return is_span(span) and span[0] <= 1 and span[1] > 0


def is_ratio(span: Any) -> bool:
    """Whether a value is a range of positive numbers."""
    return is_span(span) and span[0] > 0


SIZE = is_size, 'whole numbers of pixels from 1 on'
AREA = has_area, 'a range of shares of the image, the lower one at most 1'
RATIO = is_ratio, 'a range of positive numbers'
# What transforms of MMCV, the hosts and torchvision do not check
CROPS = dict(
    CenterCrop=dict(crop_size=SIZE, size=SIZE),
    RandomCrop=dict(crop_size=SIZE, size=SIZE),
    RandomResizedCrop=dict(
        size=SIZE,
        scale=AREA,
        ratio=RATIO,
        crop_ratio_range=AREA,
        aspect_ratio_range=RATIO),
    ResizeEdge=dict(scale=SIZE))


def check_transforms(runner) -> None:
    """Check that the transforms of images have settings that are possible.

    Some of MMCV and torchvision take any probability, and crops that never
    fit.

    Raises:
        ValueError: If one is not.
    """
    model = runner.cfg.get('model') or {}
    parts = {
        'train_dataloader': runner.cfg.get('train_dataloader'),
        'eval_datasets': runner.cfg.get('eval_datasets'),
        'model.data_preprocessor': model.get('data_preprocessor')
    }
    for place, step in dotted_items(parts):
        if isinstance(step, dict) and is_transform(step.get('type')):
            check_crop(place, step)
            for key, value in step.items():
                if key in ('p', 'prob') or key.endswith('_prob'):
                    for number in filter(is_number, listed(value)):
                        check_probability(f'{place}.{key}', number,
                                          type_name(step))


def check_crop(place: str, step: dict) -> None:
    """Refuse sizes and shares of a crop that no image has.

    Args:
        place (str): Dotted key of the transform.
        step (dict): Its config.

    Raises:
        ValueError: If there is one.
    """
    name = type_name(step).rpartition('/')[2]
    known = CROPS.get(name, {})
    for key, value in step.items():
        if key not in known or value is None:
            continue
        # MMPretrain calls the size a scale, and MMDetection has relative ones.
        if key == 'scale' and name == 'RandomResizedCrop' and \
                'size' not in step or 'crop_type' in step:
            continue
        fits, words = known[key]
        if not fits(value):
            raise ValueError(
                f'{place}.{key}={value!r} of {name} has to be {words}')


def is_transform(kind: Any) -> bool:
    """Whether a type is no user's own, whose p may mean anything.

    Those of torchvision are partials of a wrapper, or not registered.
    """
    if not isinstance(kind, (str, type)):
        return False
    found = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return found is None or not host.is_own(getattr(found, 'func', found))


def check_bands(runner) -> None:
    """Check that transforms and preprocessor fit the channels of the images.

    Raises:
        ValueError: If one does not.
    """
    preprocessor = unwrap(runner.model).data_preprocessor
    for part in innermost(runner.train_dataloader.dataset):
        channels = channels_of(getattr(part, 'pipeline', None))
        if channels is None:
            continue
        check_color_steps(part.pipeline)
        if channels != 3 and getattr(preprocessor, '_channel_conversion', 0):
            raise ValueError(
                'data_preprocessor exchanges red and blue, and LoadImage '
                f'loads {channels} channel(s): set its bgr_to_rgb to False')
        mean = getattr(preprocessor, 'mean', [0])
        if len(mean) not in (1, channels):
            raise ValueError(
                f'mean and std of data_preprocessor have {len(mean)} values, '
                f'and LoadImage loads {channels} channel(s): set those that '
                'tools/analysis_tools/measure_images.py prints')


def check_evaluated(runner, dataset: Dataset, setting: str) -> None:
    """Check that images of an evaluation make batches that the model takes.

    Looks at a few of them.

    Args:
        runner (Runner): The run.
        dataset (Dataset): What a hook evaluates.
        setting (str): Where it is set, such as 'eval_datasets.test'.

    Raises:
        ValueError: If they do not.
        OSError: If one cannot be read.
    """
    rows = {*np.linspace(0, len(dataset) - 1, 8, dtype=int).tolist()}
    with kept_draws(), torch.no_grad():
        samples = [dataset[row] for row in sorted(rows)]
        if any('inputs' not in sample for sample in samples):
            raise ValueError(f'the pipeline of {setting} packs no images: end '
                             'it with mmregioncl.PackSelfSupInputs')
        shapes = {
            tuple(torch.as_tensor(leaf).shape)
            for sample in samples
            for leaf in listed(sample['inputs'])
        }
        if len(shapes) > 1:
            raise ValueError(
                f'images of {setting} have different sizes, '
                f'{" and ".join(map(str, sorted(shapes)))}: add '
                'mmregioncl.ResizeEdge and mmregioncl.CenterCrop to the '
                'pipeline')
        preprocess(
            unwrap(runner.model).data_preprocessor, default_collate(samples))


def check_first_step(runner, views: List[Tensor]) -> None:
    """Refuse before the first step what the model refuses in it.

    Such as a region that does not fit on the map. The step is made with
    tensors without content, in about a second for a ResNet-50. Warns if the
    map is so small that regions are all alike.

    Args:
        runner (Runner): A run.
        views (list[Tensor]): Of one image, shape (1, C, H, W) each.

    Raises:
        Exception: As the model raises it, if it names the remedy.
    """
    model = unwrap(runner.model)
    batch = images_per_batch(runner.train_dataloader)
    try:
        outputs = rehearse(model, views, batch)
    except Exception as error:  # a step may depend on values
        if is_refusal(error):
            raise
        return
    swap = getattr(model, 'region_swap', None)
    if not isinstance(swap, RegionSwap) or swap.size:
        return
    (rows, cols), side = grid_of(outputs), views[0].shape[-2]
    if default_size((rows, cols)) == (1, 1):
        runner.logger.warning(
            f'each region is one of {rows}x{cols} cells of the feature map: '
            f'use views of {7 * side // rows} pixels, which have 7x7, or a '
            'backbone with a smaller stride, such as mmregioncl.ResNet_CIFAR')


def check_channels(model: nn.Module, views: List[Tensor]) -> None:
    """Check that the views have the channels of the first convolution.

    Args:
        model (nn.Module): A pre-training algorithm.
        views (list[Tensor]): Shape (N, C, H, W) each.

    Raises:
        ValueError: If they have not.
    """
    first = next(
        (part
         for part in model.backbone.modules() if isinstance(part, nn.Conv2d)),
        None)
    channels = views[0].shape[1]
    if first is None or first.in_channels == channels:
        return
    # Other layers may come first, as in a network on edges.
    training = model.backbone.training
    model.backbone.eval()
    try:
        with torch.no_grad():
            model.backbone(views[0])
    except RuntimeError as error:
        raise ValueError(
            f'views have {channels} channels and the backbone takes '
            f'{first.in_channels}: set model.backbone.in_channels={channels}, '
            'or channels of LoadImage') from error
    finally:
        model.backbone.train(training)
