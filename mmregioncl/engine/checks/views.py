"""Check views, and the first step of the model with them."""
from typing import Any, List

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor, nn
from torch.utils.data import Dataset

from mmregioncl import host
from mmregioncl.causes import is_refusal
from mmregioncl.datasets.measure import lost_shades, read_samples
from mmregioncl.datasets.nested import dotted_items, innermost, type_name
from mmregioncl.datasets.transforms import channels_of, check_color_steps
from mmregioncl.models.utils import RegionSwap, grid_of, preprocess
from mmregioncl.models.utils.modules import unwrap
from mmregioncl.models.utils.region import default_size
from mmregioncl.randomness import kept_draws
from mmregioncl.registry import TRANSFORMS
from mmregioncl.validation import check_probability, is_number, listed
from ..batches import images_per_batch
from ..step_memory import rehearse


def check_transforms(runner) -> None:
    """Check probabilities of transforms.

    Some transforms of MMCV and torchvision accept any value.

    Raises:
        ValueError: If a value is not possible.
    """
    model = runner.cfg.get('model') or {}
    parts = {
        'train_dataloader': runner.cfg.get('train_dataloader'),
        'eval_datasets': runner.cfg.get('eval_datasets'),
        'model.data_preprocessor': model.get('data_preprocessor')
    }
    for place, step in dotted_items(parts):
        if isinstance(step, dict) and is_transform(step.get('type')):
            for key, value in step.items():
                if key in ('p', 'prob') or key.endswith('_prob'):
                    for number in filter(is_number, listed(value)):
                        check_probability(f'{place}.{key}', number,
                                          type_name(step))


def is_transform(kind: Any) -> bool:
    """Whether a transform comes from a known library.

    `p` of a user's class may mean anything. Transforms of torchvision are
    partials of a wrapper, or not registered.
    """
    if not isinstance(kind, (str, type)):
        return False
    found = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return found is None or not host.is_own(getattr(found, 'func', found))


def check_bands(runner) -> None:
    """Check that transforms and preprocessor fit the channels of the images.

    Raises:
        ValueError: If they do not.
    """
    preprocessor = unwrap(runner.model).data_preprocessor
    for part in innermost(runner.train_dataloader.dataset):
        channels = channels_of(getattr(part, 'pipeline', None))
        if channels is None:
            continue
        check_color_steps(part.pipeline)
        if channels != 3 and getattr(preprocessor, '_channel_conversion', 0):
            raise ValueError(
                'data_preprocessor swaps red and blue, but LoadImage '
                f'loads {channels} channel(s): set its bgr_to_rgb to False')
        mean = getattr(preprocessor, 'mean', [0])
        if len(mean) not in (1, channels):
            raise ValueError(
                f'mean and std of data_preprocessor have {len(mean)} values, '
                f'but LoadImage loads {channels} channel(s): set those that '
                'tools/analysis_tools/measure_images.py prints')


def check_evaluated(runner, dataset: Dataset, setting: str) -> None:
    """Check that images of an evaluation can be collated.

    Looks at a few images. Warns if 8 bits keep few gray levels.

    Args:
        runner (Runner): The run.
        dataset (Dataset): The data set that a hook evaluates.
        setting (str): Its setting, such as 'eval_datasets.test'.

    Raises:
        ValueError: If they cannot.
        OSError: If an image cannot be read.
    """
    rows = {*np.linspace(0, len(dataset) - 1, 8, dtype=int).tolist()}
    with kept_draws(), torch.no_grad():
        samples = [dataset[row] for row in sorted(rows)]
        if any('inputs' not in sample for sample in samples):
            raise ValueError(
                f'the pipeline of {setting} does not pack images: '
                'append mmregioncl.PackSelfSupInputs')
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
    for note in lost_shades(read_samples(dataset, 8), setting):
        runner.logger.warning(note)


def check_first_step(runner, views: List[Tensor]) -> None:
    """Raise the errors of the first step before training.

    For example, a region may not fit into the feature map. The step is made
    with meta tensors, in about a second for a ResNet-50. Warns if the map is
    so small that all regions are single cells.

    Args:
        runner (Runner): The run.
        views (list[Tensor]): Views of one image, shape (1, C, H, W) each.

    Raises:
        Exception: An error of the model that says what to do.
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
            f'on the {rows}x{cols} feature map every region is a single cell: '
            f'use views of {7 * side // rows} pixels, which give 7x7, or a '
            'backbone with a smaller stride, such as mmregioncl.ResNet_CIFAR')


def check_channels(model: nn.Module, views: List[Tensor]) -> None:
    """Check that the backbone accepts the channels of the views.

    Args:
        model (nn.Module): A pre-training algorithm.
        views (list[Tensor]): Shape (N, C, H, W) each.

    Raises:
        ValueError: If it does not.
    """
    first = next(
        (part
         for part in model.backbone.modules() if isinstance(part, nn.Conv2d)),
        None)
    channels = views[0].shape[1]
    if first is None or first.in_channels == channels:
        return
    # Another layer may come before, for example one that computes edges.
    training = model.backbone.training
    model.backbone.eval()
    try:
        with torch.no_grad():
            model.backbone(views[0])
    except RuntimeError as error:
        raise ValueError(
            f'views have {channels} channels, but the backbone expects '
            f'{first.in_channels}: set model.backbone.in_channels={channels}, '
            'or channels of LoadImage') from error
    finally:
        model.backbone.train(training)
